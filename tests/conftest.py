import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.testclient import TestClient

from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import Server, cat_document, client_of, serving
from bot.testing_postgres import Cluster, NoClusterError
from corpus import Document, Section
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

if TYPE_CHECKING:
    from bot.channels.slack_fake import FakeSlack
    from bot.channels.slack_testing import Sender
    from eval.bench.trial import Trial

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
def jieba_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where jieba keeps what it has made of its dictionary."""
    return tmp_path_factory.mktemp("jieba")


@pytest.fixture(scope="session")
def segmenter(jieba_folder: Path) -> Segmenter:
    """One for all tests: loading the dictionary takes most of a second."""
    return Segmenter(jieba_folder)


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """Where the built-in model is kept between runs, since making it takes seconds."""
    return Settings().cache


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of our own."""
    try:
        made = Cluster()
    except NoClusterError as error:
        pytest.skip(str(error))
    with made:
        yield made


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Make an empty database of a kind, `sqlite` or `postgresql`, and return its URL."""
    made = []

    def new(kind: str, template: str = "template1") -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/wenqu.db"
        cluster: Cluster = request.getfixturevalue("cluster")
        made.append((cluster, cluster.create(template)))
        return made[-1][1]

    yield new
    for cluster, url in made:
        cluster.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """An empty database, once of each kind."""
    return new_database(request.param)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database, once of each kind."""
    made = Database(database_url)
    yield made
    made.close()


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
def slack() -> Iterator["FakeSlack"]:
    """A Slack on loopback."""
    from bot.channels.slack_fake import FakeSlack  # noqa: PLC0415  # aiohttp, only where it is used

    with FakeSlack() as made:
        yield made


@pytest.fixture
def slack_runtime(tmp_path: Path, segmenter: Segmenter, slack: "FakeSlack") -> Iterator[Runtime]:
    """Like `runtime`, with settings that lead to `slack`."""
    from bot.channels.slack_testing import slack_settings  # noqa: PLC0415  # likewise

    settings = slack_settings(tmp_path / "var", slack)
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    made.library().ingest([cat_document("手册/猫")])
    yield made
    made.close()


@pytest.fixture
def sender(slack_runtime: Runtime) -> Iterator["Sender"]:
    """Slack's side of a real server around `slack_runtime`."""
    from bot.channels.slack_testing import Sender  # noqa: PLC0415  # likewise

    with serving(slack_runtime) as port, Sender(f"http://127.0.0.1:{port}") as made:
        yield made


COMMAND = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from bot.cli import guarded
from bot.commands import documents, ingest
from bot.runtime import Runtime
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

def opened(settings, *, threads=1, progress=None):
    segmenter = Segmenter(Path(sys.argv[1]))
    return Runtime(settings, Database(settings.database), CharEmbedder("塔高尺丈年"), segmenter)

command = {{"ingest": ingest, "documents": documents}}[sys.argv[2]].run
sys.exit(guarded(lambda argv: command(argv, opened), sys.argv[3:]))
"""


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory, segmenter: Segmenter) -> "Trial":
    """Real commands in real processes over a data folder; only the model is a small one."""
    from eval.bench.trial import Trial  # noqa: PLC0415  # for the tests of faults

    folder = tmp_path_factory.mktemp("trial")
    (folder / "command.py").write_text(COMMAND, encoding="utf-8")
    embedder = CharEmbedder("塔高尺丈年")

    def opened(settings: Settings) -> Runtime:
        return Runtime(settings, Database(settings.database), embedder, segmenter)

    command = (sys.executable, str(folder / "command.py"), str(folder / "jieba"))
    return Trial(folder, opened, command)


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


@pytest.fixture(scope="session")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder with the bundled texts, indexed by the built-in model. Only to be read."""
    folder = tmp_path_factory.mktemp("bundled")
    wenqu = Path(sys.executable).with_name("wenqu")
    subprocess.run([wenqu, "ingest", "--bundled", "--data", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def site(bundled: Path) -> Iterator[str]:
    """Address of a real `wenqu serve` over the bundled texts."""
    with Server(bundled) as server:
        yield server.url


@pytest.fixture(scope="module")  # while Playwright runs, its thread can run no other event loop
def chromium() -> Iterator[Browser]:
    """A real Chromium: what `CHROMIUM` names, the system's, or Playwright's own."""
    with sync_playwright() as playwright:
        names = (
            "chromium",
            "chromium-browser",
            "google-chrome",
            playwright.chromium.executable_path,
        )
        found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
        if found is None:
            missing = "no Chromium: `make chromium`, or set CHROMIUM to the path of one"
            (pytest.fail if "CI" in os.environ else pytest.skip)(missing)
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses otherwise
        expect.set_options(timeout=15_000)  # a machine may have other things to do
        browser = playwright.chromium.launch(executable_path=found, args=as_root)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh profile's page. The test fails if a script of it failed or broke its policy."""
    wrong: list[str] = []
    with chromium.new_context(locale="zh-CN", viewport={"width": 1280, "height": 800}) as context:
        context.set_default_timeout(10_000)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on("console", lambda said: wrong.append(said.text) if _broken(said.text) else None)
        yield context.new_page()
    assert wrong == []


def _broken(said: str) -> bool:
    return "Content Security Policy" in said or "Trusted Type" in said


@pytest.fixture
def violations() -> Callable[[Page], list[str]]:
    """Tell what axe-core finds in a page as it is now, light and dark, such as `dark: label`."""
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

    def find(page: Page) -> list[str]:
        found = []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
            page.evaluate(axe)  # evaluated by the debugger, whatever the policy of the page
            report = page.evaluate("axe.run()")["violations"]
            found += [
                f"{scheme}: {rule['id']}: {node['target']}: {node['failureSummary']}"
                for rule in report
                for node in rule["nodes"]
            ]
        return found

    return find
