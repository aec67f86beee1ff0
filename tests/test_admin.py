import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bot.api.admin_schema import IndexReply, QuestionsReply, ReportReply
from bot.report import MEASURES as LABELS
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, CAT_TEXT, ask, cat_document, client_of, problem_in
from eval.measures import MEASURES

KEY = "correct-horse-battery-staple"
REPORT = {
    "format": 1,
    "about": {
        "set": "bundled", "made": "2026-11-24T07:44:39Z", "wenqu": "0.1.0", "model": "m",
        "machine": "x", "documents": 12, "passages": 90, "seconds": 1.5, "seed": 0,
    },
    "scores": [
        {"measure": "recall@5", "split": "test", "value": 0.9, "low": 0.8, "high": 1.0,
         "questions": 40, "rows": 40},
        {"measure": "total_p95", "split": "test", "value": 25.0, "low": 20.0, "high": 30.0,
         "questions": 40, "rows": 40},
    ],
    "outcomes": [{"question": {"text": "a secret question"}}],
}  # fmt: skip


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(REPORT), encoding="utf-8")
    return path


@pytest.fixture
def admin(runtime: Runtime, report: Path) -> Iterator[TestClient]:
    """A client that has the key."""
    settings = Settings.model_validate(
        {
            **runtime.settings.model_dump(exclude_defaults=True),
            "admin_key": KEY,
            "eval_report": report,
        }
    )
    made = Runtime(settings, runtime.database, runtime.embedder, runtime.segmenter)
    with client_of(made) as client:
        client.headers["authorization"] = f"Bearer {KEY}"
        yield client


def test_the_page_may_run_only_our_own_scripts_and_stand_in_no_frame(client: TestClient) -> None:
    response = client.get("/admin")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in response.text
    assert "style=" not in response.text


def test_the_index_is_told_as_it_is(admin: TestClient, runtime: Runtime) -> None:
    response = admin.get("/api/admin/index")
    assert response.headers["cache-control"] == "no-store"
    told = response.json()
    IndexReply.model_validate(told)
    assert (told["collection"], told["collections"]) == ("default", ["default"])
    assert (told["documents"], told["characters"]) == (1, len(CAT_TEXT))
    generation = runtime.library().generation()
    assert generation
    index = told["index"]
    assert (index["generation"], index["passages"]) == (generation.name, 1)
    assert (index["model"], index["dense"]) == (runtime.embedder.id, "Flat")
    folder = runtime.settings.indexes / "default" / generation.name
    sizes = [path.stat().st_size for path in folder.iterdir() if path.name != "manifest.json"]
    assert index["bytes"] == sum(sizes)
    assert told["problem"] is None


def test_every_collection_is_listed_and_each_told_apart(admin: TestClient) -> None:
    text = {"title": "狗", "text": "狗在院子里。"}
    assert admin.post("/api/documents?collection=b", json=text).status_code == 200
    told = admin.get("/api/admin/index?collection=b").json()
    assert told["collections"] == ["b", "default"]
    assert told["documents"] == 1
    assert told["characters"] < len(CAT_TEXT)
    problem_in(admin.get("/api/admin/index?collection=c"), 404, "collection_not_found")


def test_an_empty_collection_has_no_index_and_no_problem(admin: TestClient) -> None:
    admin.delete("/api/documents/手册/猫")
    told = admin.get("/api/admin/index").json()
    IndexReply.model_validate(told)
    assert (told["documents"], told["index"]["passages"], told["problem"]) == (0, 0, None)


def test_a_damaged_index_is_told_with_what_to_do(admin: TestClient, runtime: Runtime) -> None:
    runtime.library("b").ingest([cat_document("猫")])
    generation = runtime.library("b").generation()
    assert generation
    folder = runtime.settings.indexes / "b" / generation.name
    (folder / "manifest.json").write_bytes(b"{")
    told = admin.get("/api/admin/index?collection=b").json()
    IndexReply.model_validate(told)
    assert told["index"] is None
    assert "manifest.json" in told["problem"]
    assert "正在自动修复" in told["problem"]
    assert told["documents"] == 1


def test_refused_and_disliked_questions_are_listed_the_newest_first(admin: TestClient) -> None:
    answered = ask(admin, CAT_QUESTION)
    assert not answered["refused"]
    admin.delete("/api/documents/手册/猫")
    for question in ("火星在哪里？", "火星在哪裡"):
        assert ask(admin, question)["refused"]
    vote = {"turn_id": answered["turn_id"], "vote": "down", "comment": "太短"}
    assert admin.post("/api/feedback", json=vote).status_code == 204
    response = admin.get("/api/admin/questions")
    assert response.headers["cache-control"] == "no-store"
    told = response.json()
    QuestionsReply.model_validate(told)
    found = {each["question"]: each for each in told["questions"]}
    counts = {name: (each["refused"], each["disliked"]) for name, each in found.items()}
    (other,) = set(counts) - {CAT_QUESTION}
    assert counts == {CAT_QUESTION: (0, 1), other: (2, 0)}
    assert found[CAT_QUESTION]["comments"] == ["太短"]


def test_questions_belong_to_their_collection(admin: TestClient) -> None:
    text = {"title": "狗", "text": "狗在院子里。"}
    (added,) = admin.post("/api/documents?collection=b", json=text).json()["added"]
    admin.delete(f"/api/documents/{added}?collection=b")
    assert ask(admin, "火星在哪里？", collection="b")["refused"]
    assert admin.get("/api/admin/questions").json()["questions"] == []
    told = admin.get("/api/admin/questions?collection=b").json()
    assert [each["question"] for each in told["questions"]] == ["火星在哪里？"]


def test_the_last_measurement_is_told_without_its_questions(admin: TestClient) -> None:
    response = admin.get("/api/admin/report")
    told = response.json()
    ReportReply.model_validate(told)
    assert told["about"]["documents"] == 12
    retrieval, time = told["groups"]
    assert (retrieval["group"], time["group"]) == ("检索", "耗时（毫秒）")
    (recall,) = retrieval["measures"]
    assert (recall["label"], recall["unit"]) == ("召回率 @5", "share")
    expected = {"split": "test", "value": 0.9, "low": 0.8, "high": 1.0, "questions": 40}
    assert recall["scores"] == [expected]
    assert (time["measures"][0]["label"], time["measures"][0]["unit"]) == (
        "total p95",
        "milliseconds",
    )
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), ("{", "Invalid JSON"), ('{"format": 2}', "format"), ("[]", "it")],
)
def test_a_measurement_that_cannot_be_read_says_why(
    admin: TestClient, report: Path, content: str | None, reason: str
) -> None:
    if content is None:
        report.unlink()
    else:
        report.write_text(content, encoding="utf-8")
    said = problem_in(admin.get("/api/admin/report"), 404, "no_report")
    assert reason in said["detail"]
    assert "results.json" in said["detail"]
    assert str(report.parent) not in json.dumps(said)


def test_without_a_measurement_it_is_said_how_to_make_one(runtime: Runtime) -> None:
    settings = runtime.settings.model_copy(
        update={"admin_key": Settings.model_validate({"admin_key": KEY}).admin_key}
    )
    made = Runtime(settings, runtime.database, runtime.embedder, runtime.segmenter)
    with client_of(made) as client:
        response = client.get("/api/admin/report", headers={"authorization": f"Bearer {KEY}"})
    said = problem_in(response, 404, "no_report")
    assert "wenqu eval --out" in said["detail"]


def test_measures_are_labelled_as_the_measurement_labels_them() -> None:
    assert {each.name: (each.group, each.label, each.unit) for each in MEASURES} == LABELS
