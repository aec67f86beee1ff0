import pytest

from bot.ordinals import Ordinal, item_meant, ordinal_in
from bot.question import understand
from corpus.document import Document, Section
from corpus.words import Segmenter
from index.gazetteer import Gazetteer

TEXT = """发动机

发动机可以分成三代：

1. 蒸汽机。靠锅炉。
2. 内燃机。靠汽油。
3. 电动机。靠电池。

小结

它经过了两个阶段：

- 摸索期：谁也不懂
- 成熟期：人人会用

还有两个缺点：

- 笨重
- 吵闹
"""
DOCUMENT = Document(
    id="d", title="发动机", text=TEXT, source="d.md", sections=(Section("发动机", 1, 0, len(TEXT)),)
)


@pytest.mark.parametrize(
    ("question", "number", "measure", "thing"),
    [
        ("第二代发动机是什么？", 2, "代", "发动机"),
        ("第3种是什么？", 3, "种", ""),
        ("第十二個階段叫什麼？", 12, "个", "阶段叫什"),
        ("第二十一条呢", 21, "条", ""),
        ("第两百米", None, "", ""),
        ("二代是什么？", None, "", ""),
    ],
)
def test_an_ordinal_is_read(question: str, number: int | None, measure: str, thing: str) -> None:
    found = ordinal_in(question)
    assert (found and (found.number, found.measure, found.thing)) == (
        (number, measure, thing) if number else None
    )


def meant(question: str) -> str:
    ordinal = ordinal_in(question)
    assert ordinal
    item = item_meant(DOCUMENT, ordinal)
    return item.passage.text if item else ""


def test_it_means_the_item_of_the_list_that_counts_in_its_measure() -> None:
    assert meant("第二代发动机是什么？") == "2. 内燃机。靠汽油。"
    assert meant("第一代有什么缺点？") == "1. 蒸汽机。靠锅炉。"
    assert meant("第二个阶段怎样？") == "- 成熟期：人人会用"
    assert meant("第二个缺点是什么？") == "- 吵闹"


@pytest.mark.parametrize("question", ["第四代发动机是什么？", "第二类发动机", "第二个优点是什么？"])
def test_where_no_list_fits_nothing_is_meant(question: str) -> None:
    assert meant(question) == ""


def test_a_question_for_the_item_itself_is_told_from_one_about_it(segmenter: Segmenter) -> None:
    for text, itself in (("第二代发动机是什么？", True), ("第二代发动机是谁发明的？", False)):
        ordinal = ordinal_in(text)
        assert isinstance(ordinal, Ordinal)
        item = item_meant(DOCUMENT, ordinal)
        assert item
        assert item.is_all_asked(understand(text, segmenter, Gazetteer({})), ordinal) is itself
