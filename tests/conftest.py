import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import cat_document, client_of
from corpus import Document, Section
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

TEXT = "容器简史\n容器隔离进程。𠮷野家不卖容器。\n编排\n编排管理容器。\n"
#       01234     5                            offsets count code points: 𠮷 is one


@pytest.fixture
def document() -> Document:
    """Two sections, and one character outside the basic plane."""
    second = TEXT.index("编排")
    return Document(
        id="history",
        title="容器简史",
        text=TEXT,
        source="history.md",
        sections=(
            Section("容器简史", level=1, start=0, end=len(TEXT)),
            Section("编排", level=2, start=second, end=len(TEXT)),
        ),
    )


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    """One for all tests: loading the dictionary takes most of a second."""
    return Segmenter(tmp_path_factory.mktemp("jieba"))


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """Where the built-in model is kept between runs, since making it takes seconds."""
    return Settings().cache


@pytest.fixture
def runtime(tmp_path: Path, segmenter: Segmenter) -> Iterator[Runtime]:
    """One small document, and a model that can be worked out by hand."""
    settings = Settings(data=tmp_path / "var", max_upload_bytes=100_000)
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    made.library().ingest([cat_document("手册/猫")])
    yield made
    made.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    """The application around `runtime`, loaded."""
    with client_of(runtime) as made:
        yield made


@pytest.fixture
def cpu_seconds() -> Callable[[Callable[[], object]], float]:
    """Measure work by the least CPU time of three runs, which a busy machine hardly changes."""

    def measure(work: Callable[[], object]) -> float:
        spent = []
        for _ in range(3):
            started = time.process_time()
            work()
            spent.append(time.process_time() - started)
        return min(spent)

    return measure
