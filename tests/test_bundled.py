"""The bot with its own model over the texts that ship with it."""

from importlib.resources import as_file, files
from pathlib import Path

import pytest

from bot.answer import Turn
from bot.bot import Bot
from corpus.document import Document
from corpus.read import read
from corpus.words import Segmenter
from index.cache import CachedEmbedder
from index.database import Database
from index.embedders import open_embedder
from index.library import Library

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory, segmenter: Segmenter, model_cache: Path) -> Bot:
    root = tmp_path_factory.mktemp("bundled")
    embedder = CachedEmbedder(open_embedder("builtin", model_cache, threads=2))
    library = Library(root / "index", Database(f"sqlite:///{root}/wenqu.db"), embedder, segmenter)
    with as_file(files("corpus") / "texts") as folder:
        library.ingest(found for found in read(folder) if isinstance(found, Document))
    return Bot(library)


@pytest.mark.parametrize(
    "question", ["chroot 是哪一年出现的？", "chroot 是哪一年出現的？", "CHROOT 出现于哪年"]
)
def test_a_year_comes_first_and_its_quotation_says_so(bot: Bot, question: str) -> None:
    answer = bot.ask(question)
    assert answer.text.startswith("1979 年[1]。")
    quote = answer.citations[0]
    assert "1979" in quote.quote
    document = bot.library.document(quote.passage.document_id)
    assert document.text[quote.start : quote.end] == quote.quote


def test_a_list_is_given_complete_and_in_order(bot: Bot) -> None:
    text = bot.ask("资源隔离技术分成哪几类？").text
    places = [
        text.find(name)
        for name in ["进程隔离", "OS 虚拟化", "硬件虚拟化", "硬件分区", "语言运行时隔离"]
    ]
    assert -1 not in places
    assert places == sorted(places)


def test_what_no_document_speaks_of_is_refused_by_name(bot: Bot) -> None:
    answer = bot.ask("Podman 是哪一年发布的？")
    assert answer.refusal is not None
    assert answer.refusal.missing == ("Podman",)
    assert answer.text.startswith("文中没有提到“Podman”。相近的内容：")
    assert bot.ask("Podman 是哪一年發布的？").text.startswith("文中沒有提到“Podman”。")


def test_a_conversation_is_followed(bot: Bot) -> None:
    turns: list[Turn] = []
    for question, wanted in [
        ("Kubernetes 是哪一年发布的？", "2014"),
        ("它的前身是什么？", "Borg"),
        ("那 Warden 呢？", "Warden"),
    ]:
        answer = bot.ask(question, turns)
        assert wanted in answer.text
        turns.append(Turn(question, answer))


def test_the_same_question_has_the_same_answer(bot: Bot) -> None:
    first = bot.ask("容器镜像是什么？")
    assert all(bot.ask("容器镜像是什么？").text == first.text for _ in range(5))
