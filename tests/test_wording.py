from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.bot import Bot
from bot.wording import in_words_of
from corpus.document import Document
from corpus.words import Segmenter
from index.database import Database
from index.library import Library
from index.search import HybridIndex
from index.testing import CharEmbedder

MAINLAND = (
    "Docker 是一种软件，运行在服务器上。\nKubernetes 2014 年发布，使用 containerd 和 gVisor。"
)
TAIWAN = "這套軟體跑在伺服器上，佔用許多記憶體。"
EMBEDDER = CharEmbedder("软件服务器发布年")


def index_of(text: str, root: Path, segmenter: Segmenter) -> HybridIndex:
    library = Library(root / "index", Database(f"sqlite:///{root}/wenqu.db"), EMBEDDER, segmenter)
    library.ingest([Document(id="d", title="文", text=text, source="")])
    generation = library.generation()
    assert generation is not None
    return generation.index


@pytest.fixture(scope="module")
def mainland(tmp_path_factory: pytest.TempPathFactory, segmenter: Segmenter) -> HybridIndex:
    return index_of(MAINLAND, tmp_path_factory.mktemp("mainland"), segmenter)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dokcer 是什么？", "Docker 是什么？"),  # swapped
        ("Docer 是什么？", "Docker 是什么？"),  # missing
        ("Kubernettes哪年发布", "Kubernetes哪年发布"),  # too many
        ("Kubernates 和 contanerd", "Kubernetes 和 containerd"),  # wrong, missing
        ("Kuberneets、dockre 呢", "Kubernetes、Docker 呢"),
    ],
)
def test_a_slip_in_a_name_is_understood(mainland: HybridIndex, typed: str, meant: str) -> None:
    assert in_words_of(mainland, typed) == meant


@pytest.mark.parametrize(
    "question",
    [
        "Docker 是什么？",
        "Podman 是什么？",  # nobody's slip
        "Locker 是什么？",  # another first letter
        "Dicier 是什么？",  # two slips in six letters
        "Docker2 是什么？",  # a code
        "LXD 是什么？",
        "谁发明了它？",
        "",
    ],
)
def test_what_may_be_right_is_left_as_it_is(mainland: HybridIndex, question: str) -> None:
    assert in_words_of(mainland, question) == question


def test_a_slip_that_may_be_two_names_is_neither(tmp_path: Path, segmenter: Segmenter) -> None:
    index = index_of("Marcel 和 Marcen 都在。", tmp_path, segmenter)
    assert in_words_of(index, "Marcex 在哪里？") == "Marcex 在哪里？"


def test_a_word_of_another_region_is_understood(
    mainland: HybridIndex, tmp_path: Path, segmenter: Segmenter
) -> None:
    assert in_words_of(mainland, "這種軟體在哪種伺服器上？") == "這種軟件在哪種服務器上？"
    taiwan = index_of(TAIWAN, tmp_path, segmenter)
    assert in_words_of(taiwan, "這套軟體跑在哪裡？") == "這套軟體跑在哪裡？", "it knows the word"
    assert in_words_of(taiwan, "软件占多少内存？") == "软体占多少记忆体？"


@given(question=st.text(max_size=40) | st.from_regex(r"[a-z \u4e00-\u9fff]{0,40}", fullmatch=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_question_once_in_the_words_of_the_corpus_stays(
    mainland: HybridIndex, question: str
) -> None:
    once = in_words_of(mainland, question)
    assert in_words_of(mainland, once) == once


def test_the_answer_is_found_and_the_question_understood_is_shown(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    library = Library(tmp_path / "i", Database(f"sqlite:///{tmp_path}/db"), EMBEDDER, segmenter)
    library.ingest([Document(id="d", title="文", text=MAINLAND, source="")])
    bot = Bot(library)
    answer = bot.ask("Kuberentes 是哪一年发布的？")
    assert answer.standalone_question == "Kubernetes 是哪一年发布的？"
    assert "2014" in answer.text
    (hit,) = bot.search("軟體")
    assert hit.scores["bm25"] > 0
