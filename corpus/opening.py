"""What a source says of itself, as the first lines of its text.

Title, author and date in front matter are facts that people ask for, so they are part of the
canonical text, where they can be found and cited.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from email.utils import parsedate_to_datetime

from corpus.clean import one_line

_LABELS = (
    ("作者", ("author", "authors", "作者")),
    ("发布日期", ("date", "日期", "published", "pubdate")),
)
_TITLES = ("title", "标题")
_YEAR_FIRST = re.compile(r"([0-9]{4})[-/.年]\s?([0-9]{1,2})[-/.月]\s?([0-9]{1,2})(?![0-9])")
_WRITTEN_OUT = ("%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y")


def title_of(metadata: Mapping[str, str]) -> str:
    """Give the title in `metadata`, or an empty string."""
    return one_line(next((metadata[key] for key in _TITLES if metadata.get(key)), ""))


def opening_lines(metadata: Mapping[str, str]) -> list[str]:
    """Put author and date into words, such as `作者：张三`."""
    lines = []
    for label, keys in _LABELS:
        value = one_line(next((metadata[key] for key in keys if metadata.get(key)), ""))
        if value:
            lines.append(f"{label}：{readable_date(value) if label == '发布日期' else value}")
    return lines


def is_opening_line(text: str) -> bool:
    """Whether a line is one of `opening_lines`: about the text itself, not what it tells of."""
    return text.startswith(tuple(f"{label}：" for label, _ in _LABELS))


def readable_date(written: str) -> str:
    """Write a date the Chinese way, with the original after it unless it says the same.

    `Tue, 13 Oct 2020 00:00:00 GMT` gives `2020年10月13日（Tue, 13 Oct 2020 00:00:00 GMT）`, and
    `2020-10-13` gives `2020年10月13日`. What is no date stays as it is.
    """
    day = _parsed(written)
    if day is None:
        return written
    readable = f"{day.year}年{day.month}月{day.day}日"
    found = _YEAR_FIRST.match(written)
    same = found is not None and written[found.end() :].strip() in {"", "日"}
    return readable if same else f"{readable}（{written}）"


def _parsed(written: str) -> date | None:
    if found := _YEAR_FIRST.match(written):
        with suppress(ValueError):  # such as month 13
            return date(*map(int, found.groups()))
        return None
    with suppress(ValueError):
        return parsedate_to_datetime(written).date()
    for form in _WRITTEN_OUT:
        with suppress(ValueError):
            return datetime.strptime(written, form).date()  # noqa: DTZ007 - a day has no zone
    return None
