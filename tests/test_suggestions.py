import httpx2
import pytest
from starlette.testclient import TestClient

from bot.bot import Bot
from bot.runtime import Runtime
from bot.suggestions import SuggestionCache, as_question, of_statement, suggest
from bot.testing import cat_document, problem_in
from corpus.document import Document, Section
from index.gazetteer import Gazetteer


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("什么是云原生", "什么是云原生？"),
        ("为什么没有形成大趋势？", "为什么没有形成大趋势？"),
        ("隔离要达到什么目标", "隔离要达到什么目标？"),
        ("rkt 与 Docker 的异同", "rkt 与 Docker 有什么区别？"),
        ("容器与云原生的关系", "容器与云原生有什么关系？"),
        ("LXC 的诞生", "LXC 是怎样诞生的？"),
        ("发票报销的流程", "发票报销的流程是怎样的？"),
        ("容器镜像的三个特点", "容器镜像的三个特点是什么？"),
        ("早期的 PaaS 平台", "早期的 PaaS 平台有哪些？"),
    ],
)
def test_a_heading_becomes_the_question_a_person_would_ask(heading: str, question: str) -> None:
    assert as_question(heading) == question


@pytest.mark.parametrize(
    "heading",
    [
        "小结",
        "一则轶事",
        "两者的分工",
        "各家的产品",
        "第一代：Container on VM",
        "弱点",
        "长" * 30 + "的特点",
    ],
)
def test_a_heading_that_makes_no_question_away_from_its_place_is_left(heading: str) -> None:
    assert as_question(heading) == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chroot：1979 年随 Unix v7 出现。", [("chroot 是哪一年出现的？", "1979")]),
        ("2013 年 Google 开源 LMCTFY。", [("LMCTFY 是哪一年开源的？", "2013")]),
        ("gVisor 是一种容器引擎。", [("gVisor 是什么？", "gVisor")]),
        ("gVisor 是否好用？", []),
        ("它与 gVisor 是两回事。", []),
        ("gVisor 很快，2018 年的那场会议上它被发布。", []),
    ],
)
def test_a_plain_statement_becomes_the_question_it_answers(
    text: str, found: list[tuple[str, str]]
) -> None:
    gazetteer = Gazetteer({"chroot": "name", "LMCTFY": "name", "gVisor": "name"})
    assert list(of_statement(text, gazetteer)) == found


def handbook() -> Document:
    text = "报销的流程\n报销的流程分为三步：先填写报销单，再由主管签字，最后交给财务付款。\n"
    section = Section("报销的流程", level=1, start=0, end=len(text))
    return Document(id="a", title="员工手册", text=text, source="a.md", sections=(section,))


def test_a_question_is_suggested_only_if_its_own_section_answers_it(runtime: Runtime) -> None:
    assert suggest(runtime.bot()) == ()  # the cat has no heading to ask for
    runtime.library().ingest([handbook()])
    assert suggest(runtime.bot()) == ("报销的流程是怎样的？",)
    assert suggest(runtime.bot(), 0) == ()


def test_an_empty_collection_suggests_nothing(runtime: Runtime) -> None:
    assert suggest(Bot(runtime.library("nothing yet"))) == ()


def test_suggestions_are_made_anew_only_when_documents_change(runtime: Runtime) -> None:
    cache = SuggestionCache()
    assert cache.of(runtime.bot()) == ()
    runtime.library().ingest([handbook()])
    first = cache.of(runtime.bot())
    assert first == ("报销的流程是怎样的？",)
    assert cache.of(runtime.bot()) is first
    runtime.library().delete(["a"])
    assert cache.of(runtime.bot()) == ()


def test_the_service_gives_them_and_knows_the_collections(
    client: TestClient, runtime: Runtime
) -> None:
    runtime.library("birds").ingest([cat_document("鸟", "喜鹊在树上睡觉。")])
    found = client.get("/api/suggestions?collection=birds").json()
    assert found == {"collection": "birds", "questions": []}
    problem_in(client.get("/api/suggestions?collection=fish"), 404, "collection_not_found")
    problem_in(client.get("/api/suggestions?collection=a/b"), 422, "invalid_request")


@pytest.mark.slow
def test_the_bundled_texts_suggest_what_they_answer_from_many_documents(site: str) -> None:
    questions = httpx2.get(f"{site}/api/suggestions", timeout=60).json()["questions"]
    asked = [{"question": question} for question in questions]
    answers = [httpx2.post(f"{site}/api/chat", json=body, timeout=60).json() for body in asked]
    assert len(questions) == 4
    assert not any(answer["refused"] for answer in answers)
    assert len({answer["citations"][0]["document_id"] for answer in answers}) >= 3
