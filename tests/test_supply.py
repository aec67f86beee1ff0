import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import httpx2
import pytest
from packaging.requirements import Requirement

from eval.supply.__main__ import ROOT, main
from eval.supply.accepted import accepted
from eval.supply.audit import Report, Verdict, verdict
from eval.supply.licences import Licence, is_free, licence_of, not_free
from eval.supply.lock import Pin, declared, read_lock, unmet

ALL = ("channels", "dev", "eval", "llm", "mcp", "postgres")
TODAY = date(2026, 6, 1)
HASH = "0123456789abcdef" * 4
RULES = accepted("""
[lock]
without = ["dev"]
[[audit.accepted]]
id = "GHSA-1"
name = "Some_Lib"
reason = "we never call it"
until = 2026-06-01
[[audit.unaudited]]
name = "ours"
reason = "nobody publishes it"
until = 2026-06-01
[licences]
allowed = ["MIT", "Apache-2.0", "LLVM-exception"]
[[licences.accepted]]
name = "bound"
reason = "in an extra"
[licences.stated]
odd = "MIT"
""")


def test_the_lock_holds_what_the_project_asks_for() -> None:
    given = accepted()
    pins = read_lock((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    wanted = declared(ROOT / "pyproject.toml", given.without)
    stale = unmet(wanted, pins, [leave.name for leave in given.apart])
    assert stale == [], "run `make lock`"
    assert len(pins) > 80
    assert all(pin.hashes for pin in pins)
    assert "torch" not in {pin.name for pin in pins}
    assert {"sympy", "networkx", "faiss-cpu"} <= {pin.name for pin in pins}


def test_the_lock_names_no_address() -> None:
    assert "//" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_a_pin_is_read_with_its_hashes_and_systems() -> None:
    text = (
        f"# a comment\na-b==1.0 \\\n    --hash=sha256:{HASH}\n"
        f"c==2.0 ; sys_platform == 'nowhere' \\\n"
        f"    --hash=sha256:{HASH} \\\n    --hash=sha256:{HASH[::-1]}\n"
    )
    assert read_lock(text) == (
        Pin("a-b", "1.0", "", (HASH,)),
        Pin("c", "2.0", "sys_platform == 'nowhere'", (HASH, HASH[::-1])),
    )
    assert [pin.is_for_us for pin in read_lock(text)] == [True, False]


@pytest.mark.parametrize(
    "line", ["a==1.0", "a>=1 \\\n    --hash=sha256:00", "--index-url https://x", "a @ file:///x"]
)
def test_what_is_no_pin_with_a_hash_is_no_lock(line: str) -> None:
    with pytest.raises(ValueError, match="no pin with hashes"):
        read_lock(f"{line}\n")


def test_what_is_asked_for_and_not_locked_is_named() -> None:
    pins = [Pin("a", "1.5", "", (HASH,)), Pin("b", "1.0", "", (HASH,))]
    wanted = [Requirement(text) for text in ("A>=1,<2", "b>=2", "c", "torch==1")]
    assert unmet(wanted, pins, ["torch"]) == [
        "b>=2 is asked for, 1.0 is locked",
        "c is asked for, nothing is locked",
    ]


def test_extras_are_asked_for_but_for_those_left_out(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text(
        '[project]\ndependencies = ["a>=1"]\n[project.optional-dependencies]\n'
        'x = ["b"]\ndev = ["c"]\n',
        encoding="utf-8",
    )
    assert [str(each) for each in declared(project, ["dev"])] == ["a>=1", "b"]


def report(*libraries: Mapping[str, object]) -> Report:
    return Report.of(json.dumps({"dependencies": libraries, "fixes": []}))


FINE = {"name": "fine", "version": "1", "vulns": []}
HOLE = {"name": "some-lib", "version": "1", "vulns": [{"id": "GHSA-1", "fix_versions": ["2"]}]}
OTHER = {"name": "other", "version": "1", "vulns": [{"id": "GHSA-1", "fix_versions": []}]}
OURS = {"name": "ours", "skip_reason": "not found"}
LOST = {"name": "lost", "skip_reason": "not found"}


def test_nothing_known_is_passed() -> None:
    assert verdict(report(FINE), RULES, TODAY) == Verdict(
        "passed", ("1 libraries audited, no hole is known",)
    )


def test_a_hole_fails_unless_it_is_written_down_for_that_library_and_until_that_day() -> None:
    assert verdict(report(FINE, HOLE), RULES, TODAY).word == "passed"
    assert verdict(report(HOLE), RULES, date(2026, 6, 2)) == Verdict(
        "failed", ("some-lib: GHSA-1, mended in 2",)
    )
    assert verdict(report(OTHER), RULES, TODAY) == Verdict(
        "failed", ("other: GHSA-1, not mended yet",)
    )


def test_what_could_not_be_audited_fails_unless_it_is_written_down() -> None:
    assert verdict(report(FINE, OURS), RULES, TODAY) == Verdict(
        "passed", ("1 libraries audited, no hole is known; 1 left out with a reason",)
    )
    late = verdict(report(FINE, OURS, LOST), RULES, date(2026, 6, 2))
    assert late.lines == ("ours: not audited, not found", "lost: not audited, not found")
    assert late.word == "failed"


def test_an_audit_that_audits_nothing_has_not_passed() -> None:
    found = verdict(report(OURS, LOST), RULES, TODAY)
    assert found.word == "skipped"
    assert "none of 2 libraries could be audited" in found.lines[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[audit.accepted]]\nname="a"\nid="b"\nreason=" "\nuntil=2026-01-01', "without a reason"),
        ('[[audit.unaudited]]\nname="a"\nreason="b"', "without an end"),
    ],
)
def test_nothing_is_let_pass_without_a_reason_and_an_end(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        accepted(text)


@pytest.mark.parametrize(
    ("expression", "free"),
    [
        ("MIT", True), ("GPL-3.0-only", False), ("", False), ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True), ("GPL-3.0-only OR MIT", True),
        ("Apache-2.0 WITH LLVM-exception", True), ("(MIT OR X) AND Apache-2.0", True),
        ("X OR MIT AND Y", False), ("(X OR MIT) AND Y", False), ("MIT Apache-2.0", False),
        ("(MIT", False), ("MIT AND", False),
    ],
)  # fmt: skip
def test_a_licence_is_free_as_spdx_reads_it(expression: str, *, free: bool) -> None:
    assert is_free(expression, RULES.licences) is free


def test_a_library_that_may_not_be_used_is_named() -> None:
    found = [Licence("a", "MIT"), Licence("b", "GPL-3.0-only"), Licence("c", "")]
    found.append(Licence("bound", "LGPL-3.0-only"))
    assert not_free(found, RULES) == ["b: GPL-3.0-only", "c: it does not say"]


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("fastapi", "MIT"),  # an expression
        ("jieba", "MIT"),  # a classifier
        ("transformers", "Apache-2.0"),  # words
    ],
)
def test_a_library_says_its_licence_in_one_of_three_ways(name: str, expression: str) -> None:
    assert licence_of(name, {}) == Licence(name, expression)


def test_what_is_written_down_wins_and_what_is_not_installed_says_nothing() -> None:
    assert licence_of("pytest", {"pytest": "X"}) == Licence("pytest", "X")
    assert licence_of("no-such-library", {}) is None


def test_every_library_that_is_run_is_free_to_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["licences"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^torch +Apache-2\.0 AND", said, re.MULTILINE)
    assert "failed" not in said


def test_what_is_bound_by_its_licence_is_in_no_core() -> None:
    core = {requirement.name for requirement in declared(ROOT / "pyproject.toml", list(ALL))}
    assert core & {leave.name for leave in accepted().bound} == set()
    assert "faiss-cpu" in core


# How a library that is not installed looks: nothing finds it.
WITHOUT = """
import importlib.machinery, sys
gone = set(sys.argv.pop(1).split(","))
class Path:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in gone:
            return None
        return importlib.machinery.PathFinder.find_spec(name, path, target)
    find_distributions = importlib.machinery.PathFinder.find_distributions
sys.meta_path[:] = [Path if each is importlib.machinery.PathFinder else each
                    for each in sys.meta_path]
from bot.cli import main
sys.exit(main())
"""
EXTRAS = {
    "channels": "aiohttp,slack_bolt,slack_sdk,standardwebhooks,websockets,cryptography,defusedxml",
    "llm": "openai",
    "mcp": "mcp",
    "eval": "matplotlib,jinja2",
    "postgres": "psycopg",
}
SLACK = {"WENQU_SLACK_BOT_TOKEN": "xoxb-1", "WENQU_SLACK_SIGNING_SECRET": "s"}
WECOM = {
    "WENQU_WECOM_BOT_TOKEN": "t",
    "WENQU_WECOM_BOT_AES_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
}
HOOKS = {"WENQU_WEBHOOKS": json.dumps({"a": {"secret": "whsec_" + "A" * 40}})}
LLM = {"WENQU_LLM_BASE_URL": "http://127.0.0.1:9/v1", "WENQU_LLM_MODEL": "m"}


def without(extras: str, *arguments: str) -> list[str]:
    """The command as it is where these extras are not installed."""
    gone = ",".join(EXTRAS[extra] for extra in extras.split())
    return [sys.executable, "-c", WITHOUT, gone, *arguments]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "command", "environment"),
    [
        ("channels", "serve", SLACK),
        ("channels", "serve", HOOKS),
        ("mcp", "serve", {"WENQU_MCP": "true"}),
        ("llm", "ask", LLM),
    ],
)
def test_an_extra_that_is_missing_is_named_in_one_line(
    bundled: Path, extra: str, command: str, environment: dict[str, str]
) -> None:
    words = ["容器是什么？"] if command == "ask" else ["--port", "0"] if command == "serve" else []
    ran = subprocess.run(
        without(extra, command, *words, "--data", str(bundled)),
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.count(f"pip install 'wenqu[{extra}]'") == 1
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.slow
def test_the_core_serves_with_every_extra_absent(bundled: Path) -> None:
    command = without(" ".join(EXTRAS), "serve", "--port", "0", "--data", str(bundled))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout
        found = re.search(r"http://127\.0\.0\.1:([0-9]+)", server.stdout.readline())
        assert found
        try:
            url = f"http://127.0.0.1:{found[1]}"
            with httpx2.Client(base_url=url, timeout=60) as client:
                asked = {"question": "chroot 是哪一年出现的？"}
                assert "1979" in client.post("/api/chat", json=asked).json()["answer"]
                fetched = client.post("/api/documents", json={"url": "http://127.0.0.1/"})
                assert fetched.status_code == 422  # not allowed, and no error of ours
                assert client.get("/readyz").json()["status"] == "ready"
        finally:
            server.terminate()
            server.wait(30)


SDKS = [
    "aiohttp", "cryptography", "jinja2", "mammoth", "matplotlib", "mcp", "onnx", "openai",
    "psycopg", "pypdfium2", "sentence_transformers", "slack_bolt", "slack_sdk",
    "standardwebhooks", "torch", "websockets",
]  # fmt: skip
LOADED = """
import sys
from bot.app import create_app
from bot.configuration import Configuration
import os
create_app(Configuration.load(os.environ).settings)
print(*sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "loaded"),
    [
        (LLM | HOOKS, ""),  # a model and a signature need theirs when they are first wanted
        (SLACK, "aiohttp slack_bolt slack_sdk"),
        (WECOM, "cryptography"),
    ],
)
def test_no_sdk_is_loaded_that_nobody_set_up(environment: dict[str, str], loaded: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, *SDKS],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=True,
    )
    assert ran.stdout.strip() == loaded


def test_every_test_that_the_security_page_names_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/\w+\.py)`", text))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    links = re.findall(r"\]\((?!#)([^)]+)\)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []
