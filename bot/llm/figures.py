"""Numbers as they have to be copied: value, unit, and what makes it more, less or another."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MEASURES = (
    "世纪|个月|小时|分钟|毫秒|公里|千米|厘米|毫米|公斤|千克|字节|百分点|年代|"
    "[年月日号个名位种类台项人岁次层座条部集届天代章卷期间所架辆艘颗片倍元秒时分米克吨升周度页家行段级组批步成]"
)
_BEFORE = {
    **dict.fromkeys(("约", "大约", "大概", "about"), "约"),
    **dict.fromkeys(("近", "将近", "接近"), "近"),
    **dict.fromkeys(("逾", "超", "超过", "多于", "over"), "超过"),
    **dict.fromkeys(("不到", "不足", "少于", "under"), "不到"),
    **dict.fromkeys(("至少", "最少"), "至少"),
    **dict.fromkeys(("至多", "最多"), "至多"),
    "公元前": "前",
    "第": "第",
    "负": "-",
}
_AFTER = {
    **dict.fromkeys(("多", "余"), "超过"),
    "以上": "至少",
    **dict.fromkeys(("以下", "以内"), "至多"),
    "左右": "约",
    "前": "前",
}
_HAN = "〇零一二两三四五六七八九十百千万亿"
_FIGURE = re.compile(
    rf"(?P<before>(?<![0-9a-z])-|{'|'.join(sorted(_BEFORE, key=len, reverse=True))})?\s*"
    r"(?P<number>(?<![a-z0-9.])[0-9]+(?:[.,][0-9]+)*(?![a-z])"
    rf"|[{_HAN}]+(?={_MEASURES}|[{_HAN}]))"
    rf"\s*(?P<scale>[%‰]|[百千万亿]+)?(?P<more>[多余])?\s*(?P<unit>{_MEASURES})?"
    r"(?P<after>以上|以下|以内|左右|前)?"
)
_GENERIC = frozenset(f"一{measure}" for measure in "个种些家位名次时级部代")
_DIGITS = {han: value for value, han in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_TENS = re.compile(r"([一二两三四五六七八九])?十([一二三四五六七八九])?")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in a text.

    Attributes:
        value: In digits without separators: `1997`, `1.5`, `300万`; `三百万` where it stays so.
        unit: What is counted, "" if nothing is said.
        limit: What it is instead of exact: about, over, under, before our era, "" if nothing.
        start: Offset into the folded text of the digits.
        end: Offset after it.
    """

    value: str
    unit: str
    limit: str
    start: int
    end: int

    @property
    def said(self) -> tuple[str, str, str]:
        """What has to be the same in the quotation."""
        return self.value, self.unit, self.limit


def figures(folded: str) -> Iterator[Figure]:
    """Yield the numbers in a folded text; those inside names such as `v1.24` are no numbers."""
    for found in _FIGURE.finditer(folded):
        number = found["number"]
        if number + (found["unit"] or "") in _GENERIC and not found["before"]:
            continue
        limits = (
            _BEFORE.get(found["before"] or "", found["before"]),
            _AFTER.get(found["more"] or ""),
            _AFTER.get(found["after"] or ""),
        )
        limit = "".join(sorted({one for one in limits if one}))
        value = _value(number) + (found["scale"] or "")
        yield Figure(value, found["unit"] or "", limit, found.start("number"), found.end())


def _value(number: str) -> str:
    if number[0] in "0123456789":
        return re.sub(r",(?=[0-9]{3}(?![0-9]))", "", number)
    if all(digit in _DIGITS for digit in number):
        return "".join(str(_DIGITS[digit]) for digit in number)
    tens = _TENS.fullmatch(number)
    if tens:
        return str(_DIGITS[tens[1] or "一"] * 10 + _DIGITS[tens[2] or "零"])
    return number
