import pytest

from bot.dated import date_asked, told_of
from bot.evidence import Evidence
from bot.question import understand
from corpus.document import Passage
from corpus.words import Segmenter
from index.gazetteer import Gazetteer


def told(date: str, *sentences: str) -> list[str]:
    found = [
        Evidence(Passage("d", 0, len(text), text, ()), 0, len(text), 1.0) for text in sentences
    ]
    return [one.text for one in told_of(date, found)]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2013 年发生了什么？", "2013年"),
        ("2008年有哪些重要事件", "2008年"),
        ("2018 年 5 月有什么大事？", "2018年5月"),
        ("１９９９年怎麼了？", "1999年"),
        ("2013 年 Docker 发生了什么？", ""),  # another subject
        ("2013 年谁收购了公司？", ""),
        ("2013 年和 2014 年发生了什么？", ""),
        ("2013 年之前发生了什么？", ""),
        ("发生了什么？", ""),
    ],
)
def test_a_date_is_all_that_is_asked_about_or_not(
    segmenter: Segmenter, text: str, date: str
) -> None:
    assert date_asked(understand(text, segmenter, Gazetteer({"Docker": "name"}))) == date


def test_what_begins_with_the_date_happened_then() -> None:
    then = ["2013年，Docker 发布。", "- 2013 年 3 月：它开源了。", "２０１３年又有别的。"]
    not_then = [
        "2013年之前，没有镜像。",
        "2013年以来，人们这样做。",
        "从2013年起，它很流行。",
        "2014年，不是 2013年。",
        "12013年。",
    ]
    assert told("2013年", *not_then, *then) == then
    assert told("2013年3月", *then) == [then[1]]
    assert told("", *then) == []
    assert len(told("2013年", *[f"2013年，第{n}件事。" for n in range(9)])) == 5
