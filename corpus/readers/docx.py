"""Word files into blocks, by way of HTML."""

import io
import zipfile
from dataclasses import replace

from corpus.blocks import Content
from corpus.clean import clean, one_line
from corpus.errors import UnreadableSourceError
from corpus.readers.archive import check_archive, core_properties
from corpus.readers.html import read_html

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='标题'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='Quote'] => p:fresh
"""


def read_docx(data: bytes, source: str) -> Content:
    """Read a Word file: headings by their styles, lists, tables, footnotes.

    Raises:
        UnreadableSourceError: It is damaged, needs a password, or unpacks into too much.
    """
    if data.startswith(_OLD_OFFICE):
        reason = "an old Word file, or one with a password; save it as docx without one"
        raise UnreadableSourceError(source, reason, trouble="locked")
    try:
        html, properties = _parsed(data, source)
    except (UnreadableSourceError, MemoryError):
        raise
    except RecursionError as error:
        reason = "its elements are nested too deeply"
        raise UnreadableSourceError(source, reason, trouble="too_large") from error
    except zipfile.BadZipFile as error:
        raise UnreadableSourceError(source, f"not a whole Word file: {error}") from error
    except Exception as error:  # the libraries raise what they like at a broken file
        reason = f"{type(error).__name__}: {error}"
        raise UnreadableSourceError(source, reason) from error
    content = read_html(html)
    metadata = {key: one_line(clean(value)) for key, value in properties.items()}
    title = metadata.pop("title", "")
    return replace(content, metadata=metadata, title=title)


def _parsed(data: bytes, source: str) -> tuple[str, dict[str, str]]:
    """Return the text as HTML and what the file says of itself."""
    import mammoth  # noqa: PLC0415 - other files do not need it

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        check_archive(archive, len(data), source)
        if "word/document.xml" not in archive.namelist():
            reason = "a ZIP archive, but no Word document in it"
            raise UnreadableSourceError(source, reason, trouble="unsupported")
        properties = core_properties(archive)
    result = mammoth.convert_to_html(
        io.BytesIO(data), style_map=_STYLES, convert_image=lambda _image: []
    )
    return result.value, properties
