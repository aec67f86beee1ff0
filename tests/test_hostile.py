"""Hostile files, spoiled files, and text that is made to be slow."""

import io
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.chunk import chunk
from corpus.clean import clean, one_line
from corpus.document import Document, Section
from corpus.documents import documents_of
from corpus.fold import fold, fold_with_offsets, simplify
from corpus.frontmatter import peel
from corpus.mojibake import repair
from corpus.origin import Origin
from corpus.readers.hugo import without_anchors, without_comments, without_shortcodes
from corpus.readers.nesting import shallow
from corpus.readers.sandbox import Sandbox
from corpus.readers.text import read_text
from corpus.sentences import sentences
from corpus.sniff import Kind, is_html, is_markdown
from corpus.words import Segmenter, names
from eval.bench import fuzz_readers
from eval.bench.fuzz_readers import check_document, check_source, fuzz, made_up, spoiled
from eval.bench.fuzz_seeds import seeds
from eval.bench.hostile import tried
from eval.bench.hostile_files import hostile_files

Measure = Callable[[Callable[[], object]], float]


@pytest.mark.slow  # some of them take a second of a parser's time
@pytest.mark.parametrize("case", ["R18", "R19", "R20", "R21"])
def test_a_hostile_file_ends_in_a_document_or_a_reason_and_the_next_one_is_read(
    case: str, tmp_path: Path
) -> None:
    with Sandbox() as sandbox:
        wrong = [
            said
            for each in hostile_files(full=False)
            if each.case == case
            for said in tried(each, sandbox, tmp_path)
        ]
    assert wrong == []


@pytest.mark.slow  # ten seconds of processor time
def test_spoiled_files_are_documents_or_errors_and_their_offsets_hold() -> None:
    tried, found = fuzz(10, seed=22)
    assert found == []
    assert min(tried[str(kind)] for kind, _ in seeds()) > 5
    assert tried["made-up text"] > 20


def test_the_fuzzer_is_the_same_for_the_same_seed_and_tries_what_is_not_there_yet() -> None:
    sources = [data for _, data in seeds()]
    runs = [random.Random(5), random.Random(5)]
    first, second = ([spoiled(draw, data, sources[0]) for data in sources] for draw in runs)
    assert first == second
    assert sum(a != b for a, b in zip(first, sources, strict=True)) > len(sources) // 2
    assert made_up(runs[0]) == made_up(runs[1])


def test_the_fuzzer_sees_offsets_that_do_not_hold() -> None:
    right = Document("a", "题", "题\n\n正文。", "a", sections=(Section("题", 1, 0, 6),))
    check_document(right)
    wrong = Document("a", "题", "题\n\n正文。", "a", sections=(Section("文", 1, 0, 6),))
    with pytest.raises(AssertionError, match="begins with its heading"):
        check_document(wrong)


def test_the_fuzzer_names_a_process_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONFAULTHANDLER", "0")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "jieba").write_text("no folder", encoding="utf-8")  # so it cannot start
        (Path(folder) / "now").write_bytes(b"html\n<p>")
        found: list[fuzz_readers.Finding] = []
        fuzz_readers._run(5, 1, Path(folder), Counter(), found)
    (finding,) = found
    assert (finding.what, finding.kind) == ("the process ended with 1", "html")
    assert finding.data == b"<p>"


UNITS = [
    "（", '"', "“", ".", "1", "[1]", "a-", "[", "![", "**a", "<b>", "<div>", "<!--", "{{<", "{#",
    "# a\n", "- ", " ", "\n", "Â", "a@b.", "http://a ", "e.g. ", "&", "`", "龘", "的", "1. ",
    "---\n", "第一章 a\n", "A ", "…",
]  # fmt: skip


def reader(kind: Kind) -> Callable[[str], object]:
    def read(text: str) -> object:
        return list(documents_of(io.BytesIO(text.encode()), Origin("a", kind)))

    return read


def chunked(text: str) -> object:
    return chunk(Document("a", "t", text, "a")) if text.strip() else None


def many_headings(text: str) -> object:
    """Passages of a document in which every line is a heading."""
    if not text.strip():
        return None
    starts = range(0, len(text) - 1, 8)
    sections = tuple(Section(text[at : at + 2], 1, at, min(at + 8, len(text))) for at in starts)
    flat = text.replace("\n", "x").replace(" ", "x")
    return chunk(Document("a", "t", flat, "a", sections=sections))


FUNCTIONS: dict[str, Callable[[str], object]] = {
    "sentences": sentences, "names": names, "fold": fold, "fold_with_offsets": fold_with_offsets,
    "simplify": simplify, "clean": clean, "one_line": one_line, "repair": repair, "chunk": chunked,
    "chunk of headings": many_headings, "peel": peel, "shallow": shallow, "is_html": is_html,
    "is_markdown": is_markdown, "without_anchors": without_anchors,
    "without_comments": without_comments, "without_shortcodes": without_shortcodes,
    "read_text": read_text, "read text": reader("text"), "read markdown": reader("markdown"),
    "read html": reader("html"), "read jsonl": reader("jsonl"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FUNCTIONS, "words", "terms"])
def test_twice_the_text_takes_twice_the_time(
    name: str, segmenter: Segmenter, cpu_seconds: Measure
) -> None:
    work = {**FUNCTIONS, "words": segmenter.words, "terms": segmenter.terms}[name]
    size = 1500 if name == "read markdown" else 4000

    def seconds(unit: str, times: int) -> float:
        text = unit * (times * size // len(unit))
        return cpu_seconds(lambda: work(text))

    slow = []
    for unit in UNITS:
        pairs = ((seconds(unit, times), seconds(unit, 2 * times)) for times in (1, 4, 4))
        if all(twice > max(2.5 * once, 0.03) for once, twice in pairs):  # a machine has its moods
            slow.append(unit)
    assert slow == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [(kind, data) for kind, data in seeds()],
    ids=[f"{number} {kind}" for number, (kind, _) in enumerate(seeds())],
)
def test_what_the_fuzzer_starts_from_is_read(kind: Kind | None, data: bytes) -> None:
    check_source(data, kind)
    (first, *_) = documents_of(io.BytesIO(data), Origin("a", kind))
    assert isinstance(first, Document), first
