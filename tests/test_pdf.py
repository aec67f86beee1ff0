import io

import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from corpus.errors import UnreadableSourceError
from corpus.readers.pdf import read_pdf

SENTENCE = (
    "容器技术从一九七九年的文件系统隔离开始，经过四十年的发展，成为云计算的基础设施，推动了云原生。"
)


def pdf(
    *, pages: int = 3, password: str | None = None, text: bool = True, title: str = ""
) -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    stream = io.BytesIO()
    canvas = Canvas(stream, encrypt=password)
    if title:
        canvas.setTitle(title)
        canvas.setAuthor("李四")
    for page in range(1, pages + 1):
        canvas.setFont("STSong-Light", 12)
        if text:
            canvas.drawString(72, 800, "容器简史·内部资料")
            canvas.bookmarkPage(str(page))
            canvas.addOutlineEntry(f"第 {page} 节", str(page), level=0)
            canvas.drawString(72, 760, f"第{page}节")
            for row, start in enumerate(range(0, len(SENTENCE) * 2, 36)):
                canvas.drawString(72, 740 - 16 * row, (SENTENCE * 2)[start : start + 36])
            canvas.drawString(300, 40, str(page))
        else:
            canvas.rect(100, 100, 200, 200, fill=1)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def test_a_pdf_gives_paragraphs_under_the_headings_of_its_outline() -> None:
    content = read_pdf(pdf(title="容器报告"), "a.pdf")
    assert [(block.kind, block.level, block.text) for block in content.blocks] == [
        (kind, level, text)
        for page in (1, 2, 3)
        for kind, level, text in (
            ("heading", 2, f"第{page}节"),
            ("paragraph", 0, SENTENCE * 2),
        )
    ]
    assert content.title == "容器报告"
    assert content.metadata["author"] == "李四"
    assert content.metadata["pages"] == "3"
    assert len(content.metadata["created"]) == len("2020-10-13")


def test_names_that_a_program_made_up_are_no_title_and_no_author() -> None:
    content = read_pdf(pdf(pages=1), "a.pdf")  # reportlab says untitled, by anonymous
    assert content.title == ""
    assert "author" not in content.metadata


def test_a_head_on_two_pages_is_no_running_head() -> None:
    texts = [block.text for block in read_pdf(pdf(pages=2), "a.pdf").blocks]
    assert texts.count("容器简史·内部资料") == 2


@pytest.mark.parametrize(
    ("data", "trouble", "says"),
    [
        (pdf(password="secret"), "locked", "needs a password"),
        (pdf(text=False), "scanned", "3 pages without text"),
        (pdf()[:300], "damaged", "not a whole PDF"),
        (b"<html>404</html>", "damaged", "not a whole PDF"),
        (b"", "damaged", "not a whole PDF"),
    ],
)
def test_a_pdf_that_cannot_be_read_is_named_with_its_reason(
    data: bytes, trouble: str, says: str
) -> None:
    with pytest.raises(UnreadableSourceError, match=says) as caught:
        read_pdf(data, "a.pdf")
    assert (caught.value.source, caught.value.trouble) == ("a.pdf", trouble)
