import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from corpus.fold import fold

ROOT = Path(__file__).parents[1]
TYPES = (
    "compare",
    "count",
    "definition",
    "how",
    "list",
    "what",
    "when",
    "where",
    "who",
    "why",
    "yesno",
)
STYLES = ("colloquial", "keywords", "mixed", "paraphrase", "plain", "traditional", "typo")
NEAR = (
    """
    Apache Mesos|AWS|Azure|Borg|chroot|CNCF|Container on VM|CoreOS|CRI|CSI|Docker|Firecracker
    Fotango|frakti|FreeBSD|gVisor|Kata Containers|Knative|Kubernetes|LMCTFY|LXC|Mirantis|OCI|OpenVZ
    Pod|process container|Rancher|seccomp|Solaris Zone|Warden|Zimi|三驾马车|华为|容器镜像|小型机
    摩尔定律|服务网格|沙箱容器 2.0|硬件虚拟化|阿姆达尔定律
""".strip()
    .replace("\n    ", "|")
    .split("|")
)
FOLLOW_UPS = ("bare", "ellipsis", "pronoun", "return", "switch", "what_about")


def gold(name: str) -> list[dict[str, Any]]:
    lines = (ROOT / "eval" / "gold" / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def visible(path: Path) -> str:
    """What a reader sees: title and body without front matter keys and Markdown marks."""
    _, front, body = path.read_text("utf-8").split("---\n", 2)
    marks = r"(?m)^#+ |^- |^[0-9]+\. |\*\*"
    return f"{front.splitlines()[0].removeprefix('title: ')}\n{re.sub(marks, '', body)}"


TEXTS = {path.stem: visible(path) for path in (ROOT / "corpus" / "texts").glob("*.md")}
EVERYTHING = fold("\n".join(TEXTS.values()))
SINGLES = gold("singles")
DIALOGUES = gold("dialogues")
TURNS = [turn for dialogue in DIALOGUES for turn in dialogue["turns"]]
UNANSWERABLE = gold("unanswerable")
CHAT = gold("chat")
ALL = [*SINGLES, *DIALOGUES, *UNANSWERABLE, *CHAT]


def is_balanced(counts: Counter[str]) -> bool:
    """Each half holds at least a third."""
    return min(counts["tune"], counts["test"]) * 3 >= counts.total()


def test_there_are_enough_questions_of_each_set() -> None:
    assert len(SINGLES) >= 160
    assert len(DIALOGUES) >= 42
    assert len(UNANSWERABLE) >= 84
    assert len(CHAT) == 12


def test_every_id_is_there_once() -> None:
    assert [name for name, n in Counter(row["id"] for row in ALL).items() if n > 1] == []


def test_no_question_is_asked_twice() -> None:
    questions = Counter(row["question"] for row in [*SINGLES, *UNANSWERABLE, *CHAT])
    assert [question for question, n in questions.items() if n > 1] == []
    talks = Counter(tuple(turn["question"] for turn in d["turns"]) for d in DIALOGUES)
    assert [talk for talk, n in talks.items() if n > 1] == []


def test_every_line_has_the_keys_of_its_set_and_no_others() -> None:
    answer_keys = [{"answers"}, {"answers_all"}]
    for row in SINGLES:
        keys = set(row) - {"also", "polarity", "simplified_id"}
        common = {"id", "question", "document", "type", "style", "split"}
        assert keys - common in answer_keys, row
        assert ("polarity" in row) == (row["type"] == "yesno"), row
        assert ("simplified_id" in row) == (row["style"] == "traditional"), row
    for turn in TURNS:
        common = {"question", "document", "kind"}
        assert set(turn) - {"also"} - common in answer_keys, turn
    assert all(set(d) == {"id", "split", "turns"} for d in DIALOGUES)
    assert all(set(u) == {"id", "question", "kind", "missing", "split"} for u in UNANSWERABLE)
    assert all(set(c) == {"id", "question", "kind", "split"} for c in CHAT)


def test_every_line_is_written_as_json_writes_it() -> None:
    for name in ("singles", "dialogues", "unanswerable", "chat"):
        text = (ROOT / "eval" / "gold" / f"{name}.jsonl").read_text("utf-8")
        again = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in gold(name))
        assert text == again


@pytest.mark.parametrize("row", [*SINGLES, *TURNS], ids=lambda row: row["question"])
def test_every_answer_is_visible_wording_of_its_text(row: dict[str, Any]) -> None:
    own = TEXTS[row["document"]]
    other = [TEXTS[stem] for stem in row.get("also", [])]
    if "answers_all" in row:
        assert len(row["answers_all"]) >= 2
        assert [key for key in row["answers_all"] if key not in own] == []
    else:
        assert any(answer in own for answer in row["answers"])
        assert all(any(answer in text for text in [own, *other]) for answer in row["answers"])
    keys = row.get("answers") or row["answers_all"]
    assert all(any(key in text for key in keys) for text in other)
    assert all(key.strip() == key and key for key in keys)


def test_lists_and_comparisons_name_every_item() -> None:
    rows = [row for row in SINGLES if row["type"] in {"list", "compare"}]
    assert [row["question"] for row in rows if "answers_all" not in row] == []


@pytest.mark.parametrize(("key", "values"), [("type", TYPES), ("style", STYLES)])
def test_every_type_and_style_is_asked_in_both_halves(key: str, values: tuple[str, ...]) -> None:
    assert {row[key] for row in SINGLES} == set(values)
    for value in values:
        halves = Counter(row["split"] for row in SINGLES if row[key] == value)
        assert halves.total() >= 20, value
        assert is_balanced(halves), value


def test_yes_and_no_are_both_right_answers() -> None:
    polarities = Counter(row["polarity"] for row in SINGLES if row["type"] == "yesno")
    assert set(polarities) == {"yes", "no"}
    assert min(polarities.values()) >= 6


def test_a_traditional_question_is_its_simplified_twin_in_the_other_script() -> None:
    by_id = {row["id"]: row for row in SINGLES}
    for row in SINGLES:
        if row["style"] == "traditional":
            twin = by_id[row["simplified_id"]]
            assert row["question"] != twin["question"]
            assert fold(row["question"]) == fold(twin["question"])
            same = ("document", "answers", "answers_all", "polarity", "type", "split")
            assert [row.get(key) for key in same] == [twin.get(key) for key in same]


def test_the_halves_share_no_text_and_so_no_fact() -> None:
    halves: dict[str, set[str]] = {"tune": set(), "test": set()}
    for row in SINGLES:
        halves[row["split"]].add(row["document"])
    for dialogue in DIALOGUES:
        halves[dialogue["split"]] |= {turn["document"] for turn in dialogue["turns"]}
    assert not halves["tune"] & halves["test"]
    assert halves["tune"] | halves["test"] == set(TEXTS)


@pytest.mark.parametrize("rows", [SINGLES, DIALOGUES, UNANSWERABLE, CHAT])
def test_the_halves_are_about_as_large(rows: list[dict[str, Any]]) -> None:
    halves = Counter(row["split"] for row in rows)
    assert set(halves) == {"tune", "test"}
    assert abs(halves["tune"] - halves["test"]) <= len(rows) / 10


def test_a_dialogue_opens_with_its_first_turn_and_goes_on_with_follow_ups() -> None:
    for dialogue in DIALOGUES:
        first, *rest = (turn["kind"] for turn in dialogue["turns"])
        assert first == "first"
        assert 1 <= len(rest) <= 3
        assert set(rest) <= set(FOLLOW_UPS)
        assert "return" not in rest or "switch" in rest[: rest.index("return")]
    for kind in FOLLOW_UPS:
        halves = Counter(
            dialogue["split"]
            for dialogue in DIALOGUES
            for turn in dialogue["turns"]
            if turn["kind"] == kind
        )
        assert halves.total() >= 8, kind
        assert is_balanced(halves), kind


@pytest.mark.parametrize("row", UNANSWERABLE, ids=lambda row: row["question"])
def test_what_is_missing_is_in_no_text(row: dict[str, Any]) -> None:
    assert row["missing"]
    assert [word for word in row["missing"] if fold(word) in EVERYTHING] == []
    if row["kind"] == "topic_absent":
        assert all(word in row["question"] for word in row["missing"])


def test_half_of_the_unanswerable_are_near_misses_about_a_name_in_the_texts() -> None:
    for kind in ("topic_absent", "near_miss"):
        halves = Counter(row["split"] for row in UNANSWERABLE if row["kind"] == kind)
        assert halves.total() >= 42
        assert is_balanced(halves)
    assert [name for name in NEAR if fold(name) not in EVERYTHING] == []
    for row in UNANSWERABLE:
        if row["kind"] == "near_miss":
            assert any(fold(name) in fold(row["question"]) for name in NEAR), row["question"]


def test_small_talk_comes_in_both_scripts_and_of_every_kind() -> None:
    kinds = {"acknowledgement", "ability", "farewell", "greeting", "identity", "thanks"}
    assert {row["kind"] for row in CHAT} == kinds
    assert any(fold(row["question"]) != row["question"] for row in CHAT)
