from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.answer import Answer, Turn
from bot.bot import Bot
from bot.errors import QuestionError
from bot.verify import supported
from corpus.document import Document, Section
from corpus.words import Segmenter
from index.database import Database
from index.library import Library
from index.testing import CharEmbedder

TEXT = """容器简史

1979年，Unix v7系统支持chroot，为应用构建一个独立的虚拟文件系统视图。2013年，Docker项目正式发布。[7]

编排

Kubernetes 由 Google 在2014年发布。它的前身是 Borg。

隔离技术分成三类：

1. 进程隔离。共享内核。
2. 硬件分区。安全性高。
3. 语言运行时隔离。

为什么需要编排？因为单机不能发挥容器的全部价值。
"""
SECOND = TEXT.index("编排\n")
DOCUMENT = Document(
    id="简史",
    title="容器简史",
    text=TEXT,
    source="简史.md",
    sections=(Section("容器简史", 1, 0, len(TEXT)), Section("编排", 2, SECOND, len(TEXT))),
)
EMBEDDER = CharEmbedder("容器编排发布年谁哪由隔离类为什么需要")


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory, segmenter: Segmenter) -> Bot:
    root = tmp_path_factory.mktemp("bot")
    library = Library(root / "index", Database(f"sqlite:///{root}/wenqu.db"), EMBEDDER, segmenter)
    library.ingest([DOCUMENT])
    return Bot(library)


def checked(answer: Answer) -> Answer:
    """Every citation says what the document says there, every sentence is carried by one."""
    for citation in answer.citations:
        assert DOCUMENT.text[citation.start : citation.end] == citation.quote
        citation.passage.check(DOCUMENT)
    quotes = [citation.quote for citation in answer.citations]
    if answer.kind == "grounded":
        assert supported(answer.text, quotes)
    return answer


def test_a_library_without_documents_says_what_to_do(tmp_path: Path, segmenter: Segmenter) -> None:
    database = Database(f"sqlite:///{tmp_path}/wenqu.db")
    empty = Bot(Library(tmp_path / "index", database, EMBEDDER, segmenter))
    answer = empty.ask("容器是什么？")
    assert answer.refusal is not None
    assert answer.refusal.reason == "no_documents"
    assert "wenqu ingest" in answer.text
    assert empty.search("容器") == []


def test_small_talk_is_no_search(bot: Bot) -> None:
    answer = bot.ask("你好！")
    assert (answer.kind, answer.citations) == ("chat", ())
    assert "dense" not in answer.timings


@pytest.mark.parametrize("question", ["", "？？", "容" * 2001])
def test_what_is_no_question_is_refused(bot: Bot, question: str) -> None:
    with pytest.raises(QuestionError):
        bot.ask(question)


def test_a_follow_up_is_searched_as_a_question_that_stands_alone(bot: Bot) -> None:
    first = bot.ask("Kubernetes 由谁发布？")
    prepared = bot.prepare("它是哪一年发布的？", [Turn("Kubernetes 由谁发布？", first)])
    assert prepared.standalone_question == "Kubernetes是哪一年发布的？"


def test_search_and_answer_see_the_same_passages(bot: Bot) -> None:
    prepared = bot.prepare("谁发布了 Kubernetes？", top_k=3)
    assert list(prepared.hits) == bot.search("谁发布了 Kubernetes？", 3)


WORDS = [
    "容器",
    "Docker",
    "chroot",
    "Kubernetes",
    "哪一年",
    "谁",
    "是什么",
    "发布",
    "隔离",
    "分成哪几类",
    "？",
    "為什麼",
    "它",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map("".join))
def test_whatever_is_asked_every_citation_is_exact_and_every_sentence_supported(
    bot: Bot, question: str
) -> None:
    try:
        answer = checked(bot.ask(question))
    except QuestionError:
        return
    assert 0 <= answer.confidence <= 1
    assert bot.ask(question).text == answer.text


def test_a_document_replaced_after_the_search_is_not_read_by_its_old_offsets(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    database = Database(f"sqlite:///{tmp_path}/wenqu.db")
    library = Library(tmp_path / "index", database, EMBEDDER, segmenter)
    library.ingest([DOCUMENT])
    bot = Bot(library)
    prepared = bot.prepare("隔离技术分成哪几类？")
    library.ingest([Document(id="简史", title="容器简史", text="没有了。", source="简史.md")])
    checked(bot.answer(prepared))  # from what was searched, or not at all
