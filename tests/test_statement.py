from pathlib import Path

import pytest

from bot.bot import Bot
from bot.statement import statement
from corpus.document import Document
from corpus.read import read_bytes
from corpus.words import Segmenter
from index.database import Database
from index.library import Library
from index.testing import CharEmbedder

FRONT = "---\ntitle: {title}\nauthor: {author}\ndate: {date}\n---\n\n{text}\n"
LONG = "猫在屋顶上睡觉，狗在院子里看门。" * 30


@pytest.fixture
def bot(tmp_path: Path, segmenter: Segmenter) -> Bot:
    database = Database(f"sqlite:///{tmp_path / 'wenqu.db'}")
    return Bot(Library(tmp_path / "index", database, CharEmbedder(""), segmenter))


def add(bot: Bot, name: str, **front: str) -> None:
    found = read_bytes(FRONT.format(**front, text=LONG).encode(), name)
    bot.library.ingest([each for each in found if isinstance(each, Document)])


def stated(bot: Bot, question: str) -> str:
    generation = bot.library.generation()
    assert generation
    found = statement(question, generation.index)
    return found[1].text if found else ""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("这篇文章是谁写的？", "作者：王小明[1]。"),
        ("本文作者是谁？", "作者：王小明[1]。"),
        ("這篇文章是什麼時候發表的？", "2021年3月5日[1]。发布日期：2021年3月5日[1]。"),
        ("《看家手册》的发布日期是哪天？", "发布日期：2021年3月5日[1]。"),
    ],
)
def test_a_document_says_who_wrote_it_and_when(bot: Bot, question: str, answer: str) -> None:
    add(bot, "a.md", title="看家手册", author="王小明", date="2021-03-05")
    assert bot.ask(question).text == answer


def test_of_several_documents_the_one_that_is_named_is_asked(bot: Bot) -> None:
    add(bot, "a.md", title="看家手册", author="王小明", date="2021-03-05")
    add(bot, "b.md", title="睡觉手册", author="李小红", date="2022-04-06")
    assert bot.ask("《睡觉手册》是谁写的？").text == "作者：李小红[1]。"
    assert stated(bot, "这篇文章是谁写的？") == ""  # which one?


def test_a_thing_is_not_taken_for_its_document(bot: Bot) -> None:
    add(bot, "a.md", title="看家手册", author="王小明", date="2021-03-05")
    assert stated(bot, "猫是什么时候发布的？") == ""
    assert stated(bot, "这篇文章有多长？") == ""
    assert stated(bot, "这篇文章的作者后来为什么懊悔？") == ""
