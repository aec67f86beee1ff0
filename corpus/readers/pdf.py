"""PDF into blocks: lines of pages, and headings from the outline."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.blocks import Block, Content
from corpus.clean import clean
from corpus.errors import UnreadableSourceError
from corpus.readers.text import text_blocks, wrap_width

MAX_PAGES = 20_000

_HYPHEN = re.compile("[\x02\ufffe](?:\r?\n)?")  # how pdfium marks a word that goes on below
_DIGITS = re.compile("[0-9]+")
_DATE = re.compile(r"D:([0-9]{4})([0-9]{2})([0-9]{2})")
_NO_TITLE = re.compile(
    r"untitled|无标题|microsoft word\b.*|.*\.(?:docx?|pptx?|xlsx?|indd|pdf|tex)|\s*", re.IGNORECASE
)
_NO_AUTHOR = re.compile(r"anonymous|unknown|administrator|admin|user|\s*", re.IGNORECASE)
_MIN_PAGES = 3
_DEEPEST_HEADING = 6


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What pdfium makes of a file.

    Attributes:
        pages: The text of each.
        outline: Level from 2, title, page from 0, of each entry that leads somewhere.
        metadata: As the file has it.
    """

    pages: list[str]
    outline: list[tuple[int, str, int]]
    metadata: dict[str, str]


def read_pdf(data: bytes, source: str) -> Content:
    """Read the text of a PDF.

    Running heads and page numbers go, hand-wrapped lines are joined, also across pages. A line
    that is an entry of the outline is a heading.

    Raises:
        UnreadableSourceError: It needs a password, holds pictures only, or is damaged.
    """
    parsed = _parsed(data, source)
    pages = [clean(_HYPHEN.sub("", page)).split("\n") for page in parsed.pages]
    outline: dict[int, dict[str, int]] = defaultdict(dict)
    for level, title, page in parsed.outline:
        outline[page].setdefault(_key(clean(title)), min(level, _DEEPEST_HEADING))
    metadata = _metadata(parsed.metadata)
    title = metadata.pop("title", "")
    blocks = tuple(_blocks(_without_running_heads(pages), outline))
    return Content(blocks, metadata | {"pages": str(len(pages))}, title)


def _parsed(data: bytes, source: str) -> _Parsed:
    import pypdfium2 as pdfium  # noqa: PLC0415 - other files do not need it

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnreadableSourceError(source, "needs a password", trouble="locked") from error
        raise UnreadableSourceError(source, f"not a whole PDF: {error}") from error
    if len(document) > MAX_PAGES:
        reason = f"{len(document)} pages, at most {MAX_PAGES} are read"
        raise UnreadableSourceError(source, reason, trouble="too_large")
    pages = [_page_text(document, number) for number in range(len(document))]
    if not any(page.strip() for page in pages):
        reason = f"{len(pages)} pages without text: scanned pictures, perhaps"
        raise UnreadableSourceError(source, reason, trouble="scanned")
    try:
        found = document.get_metadata_dict(skip_empty=True)
        outline = list(_entries(document))
    except (UnicodeError, pdfium.PdfiumError):  # the pages are what counts
        found, outline = {}, []
    keys = {"Title": "title", "Author": "author", "CreationDate": "created"}
    metadata = {keys[key]: value for key, value in found.items() if key in keys}
    return _Parsed(pages, outline, metadata)


def _page_text(document: Any, number: int) -> str:  # noqa: ANN401 - a pypdfium2.PdfDocument
    """Return the text of a page, an empty string if the page is broken."""
    import pypdfium2 as pdfium  # noqa: PLC0415 - see _parsed

    try:
        page = document[number]
        text: str = page.get_textpage().get_text_bounded()
        page.close()
    except pdfium.PdfiumError:
        return ""
    return text


def _entries(document: Any) -> Iterator[tuple[int, str, int]]:  # noqa: ANN401 - as above
    for mark in document.get_toc():
        target = mark.get_dest()
        page = target.get_index() if target is not None else None
        if page is not None:
            yield mark.level + 2, mark.get_title(), page


def _blocks(
    pages: Sequence[Sequence[str]], outline: Mapping[int, Mapping[str, int]]
) -> Iterator[Block]:
    width = wrap_width(line for page in pages for line in page)
    lines: list[str] = []
    for number, page in enumerate(pages):
        levels = dict(outline.get(number, {}))
        for line in page:
            level = levels.pop(_key(line), 0)
            if level:
                yield from text_blocks(lines, width)
                lines = []
                yield Block(line.strip(), "heading", level=level)
            else:
                lines.append(line)
    yield from text_blocks(lines, width)


def _key(line: str) -> str:
    return "".join(line.split())


def _without_running_heads(pages: Sequence[list[str]]) -> list[list[str]]:
    """Take off first and last lines that most pages share, their digits left aside."""
    filled = [[line for line in page if line.strip()] for page in pages]
    for edge in (0, -1):
        seen = Counter(_DIGITS.sub("0", _key(page[edge])) for page in filled if page)
        for page in filled:
            often = seen[_DIGITS.sub("0", _key(page[edge]))] if page else 0
            if often >= _MIN_PAGES and 2 * often > len(pages):
                page.pop(edge)
    return filled


def _metadata(found: Mapping[str, str]) -> dict[str, str]:
    metadata = {key: clean(value).strip() for key, value in found.items()}
    if _NO_TITLE.fullmatch(metadata.get("title", "")):
        metadata.pop("title", None)
    if _NO_AUTHOR.fullmatch(metadata.get("author", "")):
        metadata.pop("author", None)
    if date := _DATE.match(metadata.pop("created", "")):
        metadata["created"] = "-".join(date.groups())
    return metadata
