import random

import pytest

from bot.bot import Bot
from corpus.document import Document
from corpus.words import Segmenter
from eval.questions import GoldConversation, GoldQuestion, GoldSpan, QuestionSet
from eval.reader.examples import Item, Target, epoch, erase, items, swap
from index.database import Database
from index.library import Library
from index.testing import CharEmbedder

TEXT = (
    "1979年，Unix v7 支持 chroot，这是隔离的开始。2013年，Docker 项目发布，人人都能打包。"
    "后来出现了编排，一台机器不够用了，要管理许多台。"
)
START = TEXT.index("2013年")
TARGET = Target("容器简史", TEXT, ((START, START + 5),))
OTHER = Target("猫", "阿花在屋顶上睡觉。")


def item(**changes: object) -> Item:
    values: dict[str, object] = {
        "set": "s",
        "id": "1",
        "split": "tune",
        "article": "a",
        "question": "容器简史里 Docker 是哪一年发布的？",
        "answering": (TARGET,),
        "relevant": (),
        "others": (OTHER,),
        "title": "容器简史",
    }
    return Item(**(values | changes))  # type: ignore[arg-type]  # as they are meant


def test_without_its_sentence_a_passage_does_not_answer() -> None:
    left = erase(TARGET)
    assert left is not None
    assert "2013" not in left.text
    assert left.text.startswith("1979年，Unix")
    assert left.spans == ()
    assert erase(Target("", "2013年发布。", ((0, 5),))) is None  # nothing would be left


def test_a_changed_year_or_name_asks_something_else() -> None:
    chance = random.Random(0)
    other = swap("1979年出现了什么？", "", [], chance)
    assert other != "1979年出现了什么？"
    assert other.endswith("年出现了什么？")
    renamed = swap("容器简史讲什么？", "容器简史", ["容器简史", "猫"], chance)
    assert renamed == "猫讲什么？"
    assert swap("讲什么？", "容器简史", ["容器简史"], chance) == ""


def test_an_epoch_has_an_answer_and_none_for_each_question() -> None:
    drawn = epoch([item()] * 200 + [item(answering=(), others=(), title="猫的一生")], seed=1)
    kinds = [example.kind for example in drawn]
    assert kinds.count("answers") == 200
    assert len(drawn) == 400
    assert {"erased", "swapped", "retrieved"} <= set(kinds)
    for example in drawn:
        assert example.answered == (example.kind == "answers")
        assert bool(example.target.spans) == (example.kind == "answers")
        if example.kind == "erased":
            assert "2013" not in example.target.text
        if example.kind == "swapped":
            assert "容器简史里 Docker" not in example.question


def test_questions_without_answer_and_with_no_span_take_part() -> None:
    unanswerable = item(answering=(), others=(TARGET,))
    assert [e.kind for e in epoch([unanswerable], seed=1)] == ["retrieved"]
    relevant = item(answering=(), relevant=(TARGET,))
    assert sorted(e.kind for e in epoch([relevant], seed=1)) == ["relevant", "retrieved"]
    assert epoch([item(answering=(), others=())], seed=1) == []


def test_an_epoch_is_drawn_alike_from_the_same_seed_only() -> None:
    found = [item(id=str(at), question=f"第{at}个问题，答案在哪里？") for at in range(50)]
    assert epoch(found, seed=1) == epoch(found, seed=1)
    assert epoch(found, seed=1) != epoch(found, seed=2)


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory, segmenter: Segmenter) -> Bot:
    root = tmp_path_factory.mktemp("examples")
    embedder = CharEmbedder("容器猫年")
    library = Library(root / "index", Database(f"sqlite:///{root}/w.db"), embedder, segmenter)
    library.ingest(DOCUMENTS)
    return Bot(library)


DOCUMENTS = [
    Document(id="a-1", title="容器简史", text=TEXT, source="a"),
    Document(id="b-1", title="猫", text="阿花在屋顶上睡觉，2013年出生。", source="b"),
]


def found(bot: Bot, question: GoldQuestion) -> Item:
    asked = QuestionSet("s", tuple(DOCUMENTS), (GoldConversation((), (question,)),))
    (made,) = items(bot, asked)
    return made


def test_what_is_found_is_sorted_into_what_answers_and_what_does_not(bot: Bot) -> None:
    gold = GoldQuestion(
        "q",
        "Docker 是哪一年发布的？",
        "q",
        split="test",
        documents=("a-1",),
        answers=("2013年",),
        spans=(GoldSpan("a-1", START, START + 5),),
    )
    made = found(bot, gold)
    assert (made.split, made.article, made.title) == ("test", "a", "容器简史")
    assert [target.spans for target in made.answering] == [((START, START + 5),)]
    assert made.others == ()  # the cat's passage says 2013 as well: nobody knows


def test_a_question_without_answer_has_only_others(bot: Bot) -> None:
    made = found(bot, GoldQuestion("q", "狗在哪里？", "q", expected="refusal"))
    assert (made.answering, made.relevant) == ((), ())
    assert {target.path for target in made.others} == {"容器简史", "猫"}


def test_an_answer_in_free_words_makes_a_whole_document_relevant(bot: Bot) -> None:
    gold = GoldQuestion("q", "猫在干什么？", "q", documents=("b-1",), answers=("它在休息",))
    made = found(bot, gold)
    assert [target.path for target in made.relevant] == ["猫"]
    assert [target.path for target in made.others] == ["容器简史"]


def test_small_talk_and_follow_ups_are_left_out(bot: Bot) -> None:
    talk = GoldQuestion("q", "你好", "q", expected="chat")
    asked = QuestionSet("s", tuple(DOCUMENTS), (GoldConversation((), (talk,)),))
    assert list(items(bot, asked)) == []
