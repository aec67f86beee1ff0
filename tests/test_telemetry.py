"""Nothing calls home: whoever runs it offline has nothing to find out about."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

WORK = """
import sys, time
from pathlib import Path
from index.model import GRAPH, model_folder
from index.session import open_session
open_session(model_folder(Path(sys.argv[1])) / GRAPH)
time.sleep(3)
"""


def homes(tmp_path: Path, code: str, cache: Path) -> list[str]:
    """Return what a process leaves in its home."""
    kept = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    environment = {**kept, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / ".cache")}
    subprocess.run([sys.executable, "-c", code, str(cache)], env=environment, check=True)
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))


def test_the_runtime_of_the_model_leaves_nothing_in_the_home(
    tmp_path: Path, model_cache: Path
) -> None:
    assert homes(tmp_path, WORK, model_cache) == []
