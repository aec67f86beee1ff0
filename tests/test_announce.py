from pathlib import Path

import pytest

from bot.api.metrics import Metrics
from bot.api.state import State
from bot.api.workers import Workers
from bot.commands.announce import announce
from bot.runtime import Runtime
from bot.settings import Settings
from corpus.document import Document
from corpus.words import Segmenter
from index.database import Database
from index.errors import ModelError
from index.testing import CharEmbedder

URL = "http://127.0.0.1:8000"


def loaded(settings: Settings, segmenter: Segmenter, alphabet: str = "") -> State:
    runtime = Runtime(settings, Database(settings.database), CharEmbedder(alphabet), segmenter)
    state = State(settings, lambda _settings: runtime, Metrics(), Workers(1, 1))
    assert state.load()
    return state


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "var")


def test_an_empty_library_is_ready_and_says_how_to_fill_it(
    settings: Settings, segmenter: Segmenter, capsys: pytest.CaptureFixture[str]
) -> None:
    assert announce(loaded(settings, segmenter), URL) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"问渠已就绪：{URL}，还没有文档。")
    assert f"wenqu ingest --data {settings.data} --bundled" in said


def test_a_ready_service_shows_how_to_ask(
    settings: Settings, segmenter: Segmenter, capsys: pytest.CaptureFixture[str]
) -> None:
    state = loaded(settings, segmenter)
    state.runtime.library().ingest([Document("a", "题", "猫。", "a.md")])
    assert announce(state, URL) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"问渠已就绪：{URL}（1 份文档，1 段）\n")
    assert f"curl -s {URL}/api/chat" in said


def test_only_what_a_change_of_settings_can_help_ends_the_service(
    settings: Settings, segmenter: Segmenter, capsys: pytest.CaptureFixture[str]
) -> None:
    state = loaded(settings, segmenter)
    state.runtime.library().ingest([Document("a", "题", "猫。", "a.md")])
    assert announce(loaded(settings, segmenter, "猫"), URL) == 2
    assert capsys.readouterr().err.startswith("wenqu: 索引是用 char: 建的")
    (path,) = settings.indexes.glob("default/g-*/dense.faiss")
    path.write_bytes(b"")
    assert announce(loaded(settings, segmenter), URL) == 0
    assert capsys.readouterr().err.startswith("wenqu: 索引已损坏")


def test_a_model_that_cannot_be_made_ends_the_service(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_settings: Settings) -> Runtime:
        message = "no weights"
        raise ModelError(message)

    state = State(settings, fail, Metrics(), Workers(1, 1))
    assert not state.load()
    assert announce(state, URL) == 2
    assert capsys.readouterr() == ("", "wenqu: 嵌入模型不能用：no weights\n")
