from pathlib import Path

import pytest

from bot.bot import Bot
from bot.defining import defines, with_definition
from bot.question import understand
from corpus.document import Document
from corpus.words import Segmenter
from index.database import Database
from index.library import Library
from index.testing import CharEmbedder


@pytest.mark.parametrize(
    "sentence",
    [
        "Borg 是 Google 内部使用的系统。",
        "創建了開源項目Borg（簡稱B），用於管理集群。",
        "Borg系统，可以说是它的前身。",
        "Borg，一种集群管理系统，早已有之。",
        "所谓 Borg 即集群管理系统。",
    ],
)
def test_it_says_what_the_thing_is(sentence: str) -> None:
    assert defines("borg", sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Borg 是否好用，众说纷纭。",
        "Borg 是谁写的？",
        "Cyborg 是一种机器人。",
        "有了 Borg，人们不再手工部署。",
        "Borg 在 2003 年出现，是好事。",
        "",
    ],
)
def test_it_does_not(sentence: str) -> None:
    assert not defines("borg", sentence)


DEFINITION = (
    "后来有人创建了项目 Kubernetes（简称 K8S），用于解决大规模集群的部署、运行、管理等问题。"
)


@pytest.fixture
def bot(tmp_path: Path, segmenter: Segmenter) -> Bot:
    library = Library(
        tmp_path / "i", Database(f"sqlite:///{tmp_path}/db"), CharEmbedder("集群部署"), segmenter
    )
    loud = [f"Kubernetes 服务，第{n}家，支持 Kubernetes。" for n in range(12)]
    texts = [*loud, DEFINITION, "Podman 也有人用。"]
    library.ingest(
        [Document(id=f"d{at}", title="文", text=text, source="") for at, text in enumerate(texts)]
    )
    return Bot(library)


def test_of_many_that_name_it_the_one_that_says_what_it_is_is_read(
    bot: Bot, segmenter: Segmenter
) -> None:
    prepared = bot.prepare("Kubernetes 是什么？")
    assert prepared.index is not None
    question = understand("Kubernetes 是什么？", segmenter, prepared.index.gazetteer)
    assert DEFINITION not in [hit.passage.text for hit in prepared.hits[:3]], "it is far behind"
    found = with_definition(question, prepared.hits, prepared.index)
    assert found[1].passage.text == DEFINITION
    assert len({hit.passage.id for hit in found}) == len(found)
    answer = bot.ask("Kubernetes 是什么？")
    assert "用于解决大规模集群" in answer.text


@pytest.mark.parametrize("text", ["Kubernetes 是谁写的？", "Podman 是什么？", "什么是幸福？"])
def test_other_questions_get_what_was_found(bot: Bot, segmenter: Segmenter, text: str) -> None:
    prepared = bot.prepare(text)
    assert prepared.index is not None
    question = understand(text, segmenter, prepared.index.gazetteer)
    assert list(with_definition(question, prepared.hits, prepared.index)) == list(prepared.hits)
