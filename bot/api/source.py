"""`/documents/…`: a document to read, its cited words marked. Needs no scripts."""

from collections.abc import Sequence
from html import escape
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, Response

from bot.api.assets import assets_version
from bot.api.schema import Collection, problems
from bot.api.state import TheRuntime
from bot.catalogue import open_document
from bot.ink import CITED, Ink
from bot.problems import problem_of
from bot.typeset import Heading, anchor, headings, typeset
from bot.wire import source_url, version
from corpus.document import Document
from corpus.errors import WenquError
from corpus.sentences import Span
from index.documents import DocumentInfo
from index.errors import CollectionNotFoundError, DocumentNotFoundError

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_CHANGED = "这份文档在引用之后有改动，引文的位置可能已经不同，所以没有标出。"
_LEAST_HEADINGS = 3
_MOST_HEADINGS = 200
_LONG = 100_000  # characters, from which a browser lays out only what is in view

router = APIRouter(include_in_schema=False)


class Link(BaseModel):
    """What an address of the page may say; others may add what they like, such as `utm_source`.

    Attributes:
        start: Where the cited words begin.
        end: Where they end.
        cites: All citations of the same answer in this document, such as `12-40,88-120`, at
            most 50, to go to the one before or after; left out, there is only this one.
        v: Version of the text that the offsets were counted in.
        collection: Where the document is.
        seal: Opens it without a key; the door has looked at it.
    """

    model_config = ConfigDict(frozen=True)

    start: int | None = Field(default=None, ge=0)
    end: int | None = Field(default=None, ge=0)
    cites: str = Field(
        default="",
        pattern=r"^([0-9]{1,9}-[0-9]{1,9}(,[0-9]{1,9}-[0-9]{1,9}){0,49})?$",
    )
    v: str = Field(default="", max_length=64)
    collection: Collection | None = None
    seal: str = Field(default="", max_length=200)

    @property
    def cited(self) -> Span | None:
        """The words to mark and to scroll to, unless the span is empty or half given."""
        if self.start is None or self.end is None or self.start >= self.end:
            return None
        return Span(self.start, self.end)

    @property
    def spans(self) -> list[Span]:
        """Every citation that is known of, in order."""
        pairs = {tuple(map(int, cite.split("-"))) for cite in self.cites.split(",") if cite}
        if self.cited:
            pairs.add((self.cited.start, self.cited.end))
        return [Span(start, end) for start, end in sorted(pairs) if start < end]

    def at(self, span: Span) -> str:
        """Return the address of another citation."""
        values = self.model_dump(exclude_defaults=True) | {
            "start": span.start,
            "end": span.end,
            "cites": ",".join(f"{each.start}-{each.end}" for each in self.spans),
        }
        return f"?{urlencode(values, safe=',')}#{CITED}"


@router.get("/documents/{document_id:path}", responses=problems(404, 422, 503))
def document(
    document_id: str, request: Request, runtime: TheRuntime, link: Annotated[Link, Query()]
) -> Response:
    """Show a document with the cited words marked.

    Nothing is marked if the text is no longer the one that the offsets were counted in.
    """
    try:
        name = runtime.known(link.collection)
        found, info = open_document(runtime.database, name, document_id)
    except (CollectionNotFoundError, DocumentNotFoundError) as error:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        return _sent(_missing_page(error), 404)
    same = link.v in {"", version(info)}
    return _sent(source_page(found, info, link if same else None))


def _sent(html: str, status: int = 200) -> Response:
    headers = {"content-security-policy": _POLICY, "cache-control": "no-cache"}
    return HTMLResponse(html, status, headers)


def source_page(document: Document, info: DocumentInfo, link: Link | None) -> str:
    """Return HTML; whatever stands in the document, it is only shown.

    Args:
        document: To be shown.
        info: What the list of documents says of it.
        link: What to mark; None says that the document is not the one that was cited.
    """
    at = link or Link()
    found = headings(document)
    opens = bool(found) and found[0].depth == 1
    title = "" if opens else f"<h1>{escape(document.title)}</h1>"
    notice = f'<p class="notice" role="note">{_CHANGED}</p>' if link is None else ""
    text = typeset(document, Ink(document.text, at.cited, at.spans))
    long = ' class="long"' if info.characters > _LONG else ""
    outline = _outline(found[1:] if opens else found)
    return _page(
        document.title,
        _citations(at),
        f'<div class="{"reader" if outline else "reader alone"}">{outline}<main id="text">'
        f'<p class="about">{_about(document, info)}</p>{notice}'
        f"<article{long}>{title}{text}</article></main></div>",
    )


def _page(title: str, bar: str, body: str) -> str:
    assets = f"/assets/{assets_version()}"
    return (
        '<!doctype html><html lang="zh-Hans"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)} · 问渠</title>"
        f'<link rel="icon" href="data:,"><script src="{assets}/theme.js"></script>'
        f'<link rel="stylesheet" href="{assets}/theme.css">'
        f'<link rel="stylesheet" href="{assets}/source.css"></head><body>'
        f'<header><a class="wordmark" href="/" title="去提问">问渠</a>{bar}</header>{body}'
        "</body></html>"
    )


def _missing_page(error: WenquError) -> str:
    problem = problem_of(error)
    said = f"<h1>{problem.title}</h1><p>{escape(problem.detail)}</p>"
    body = f'<div class="reader alone"><main id="text"><article>{said}</article></main></div>'
    return _page(problem.title, "", body)


def _about(document: Document, info: DocumentInfo) -> str:
    url = source_url(document.source)
    parts = [f"{info.characters:,} 字", f"更新于 <time>{info.changed_at[:10]}</time>"]
    if url:
        where = escape(urlsplit(url).netloc or url)
        link = f'<a href="{escape(url)}" rel="noopener noreferrer nofollow">原文 {where}</a>'
        parts.insert(0, link)
    return "<span> · </span>".join(parts)


def _citations(link: Link) -> str:
    """Return links to the cited words, and to those before and after."""
    if link.cited is None:
        return ""
    spans = link.spans
    at = spans.index(link.cited)
    if len(spans) == 1:
        return f'<nav aria-label="引文"><a class="button" href="#{CITED}">回到引文</a></nav>'
    before, after = spans[max(at - 1, 0) : at], spans[at + 1 : at + 2]
    return (
        f'<nav aria-label="引文"><a class="count" href="#{CITED}" title="回到引文">'
        f"引文 {at + 1} / {len(spans)}</a>"
        f"{_step(link, before, 'prev', '上一处')}{_step(link, after, 'next', '下一处')}</nav>"
    )


def _step(link: Link, spans: Sequence[Span], rel: str, label: str) -> str:
    if not spans:
        return f'<a class="button" role="link" aria-disabled="true">{label}</a>'
    return f'<a class="button" rel="{rel}" href="{escape(link.at(spans[0]))}">{label}</a>'


def _outline(found: Sequence[Heading]) -> str:
    """Return a table of contents, as deep as it stays a table of contents."""
    if len(found) < _LEAST_HEADINGS:
        return ""
    depths = sorted({heading.depth for heading in found})
    deepest = max(
        (d for d in depths if sum(h.depth <= d for h in found) <= _MOST_HEADINGS),
        default=depths[0],
    )
    items = "".join(
        f'<li class="d{heading.depth}"><a href="#{anchor(heading)}">{escape(heading.text)}</a></li>'
        for heading in found
        if heading.depth <= deepest
    )
    return (
        '<nav class="outline" aria-label="目录"><details><summary>目录</summary>'
        f"<ul>{items}</ul></details></nav>"
    )
