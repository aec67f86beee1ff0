"""From the bytes of one file to its content: decode, peel off front matter, pick the reader."""

from collections.abc import Mapping
from dataclasses import replace

from corpus.blocks import Content
from corpus.clean import clean
from corpus.encoding import Decoded, declared_charset, decode
from corpus.errors import UnreadableSourceError
from corpus.frontmatter import peel
from corpus.mojibake import repair
from corpus.origin import Origin
from corpus.sniff import Kind, is_html, is_markdown

# A tree takes 50 to 150 times the memory of its text: this keeps it below 1 GB.
MAX_HTML_CHARACTERS = 10_000_000
MAX_MARKDOWN_CHARACTERS = 5_000_000

_HEAD = 4096  # bytes in which a page declares its charset


def content_of(data: bytes, kind: Kind, origin: Origin) -> Content:
    """Read one file that holds one document.

    Args:
        data: The whole file.
        kind: What its name or its first bytes say; not `jsonl`, which holds many documents.
        origin: Where it is from; what it says of the encoding counts, not its kind.

    Raises:
        UnreadableSourceError: With the reason.
    """
    source = origin.source
    try:
        if kind == "pdf":
            from corpus.readers.pdf import read_pdf  # noqa: PLC0415 - one reader a file, each heavy

            return read_pdf(data, source)
        if kind == "docx":
            from corpus.readers.docx import read_docx  # noqa: PLC0415 - as above

            return read_docx(data, source)
        declared = origin.encoding or (declared_charset(data) if _opens_tag(data) else None)
        decoded = decode(data, declared=declared, served=origin.charset, source=source)
        metadata, body = peel(unix_lines(repair(decoded.text)))
        content = text_content(body, kind, source)
        return replace(content, metadata={**content.metadata, **metadata, **_reading(decoded)})
    except RecursionError as error:
        raise UnreadableSourceError(source, "nested too deeply", trouble="too_large") from error


def text_content(text: str, kind: Kind, source: str) -> Content:
    """Read text by its kind, or as HTML where it is HTML whatever its kind says.

    Raises:
        UnreadableSourceError: It is markup of more characters than fit into memory as a tree.
    """
    if kind == "html" or is_html(text, markdown=kind == "markdown"):
        from corpus.readers.html import read_html  # noqa: PLC0415 - as above

        _check_size(text, MAX_HTML_CHARACTERS, source)
        return read_html(text)
    if kind == "markdown" or is_markdown(text):
        from corpus.readers.markdown import read_markdown  # noqa: PLC0415 - as above

        _check_size(text, MAX_MARKDOWN_CHARACTERS, source)
        return read_markdown(text)
    from corpus.readers.text import read_text  # noqa: PLC0415 - as above

    return read_text(clean(text.expandtabs(4)))


def _check_size(text: str, most: int, source: str) -> None:
    if len(text) > most:
        reason = f"{len(text)} characters of markup, at most {most} are read; split it"
        raise UnreadableSourceError(source, reason, trouble="too_large")


def unix_lines(text: str) -> str:
    """Make CRLF and CR line ends LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _opens_tag(data: bytes) -> bool:
    return data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _reading(decoded: Decoded) -> Mapping[str, str]:
    """Note an encoding other than UTF-8, and the one that was nearly as likely."""
    if decoded.encoding == "utf-8":
        return {}
    noted = {"encoding": decoded.encoding}
    return noted | {"encoding_rival": decoded.rival} if decoded.rival else noted
