"""Keep a page shallow enough to parse and to walk.

An HTML5 parser asks at many tags which elements are open, so its time grows with the square of
the nesting. Browsers end that at 512 elements (Chromium's `kMaximumHTMLParserDOMTreeDepth`):
what is deeper becomes a sibling. Formatting elements that were never closed are opened again in
every paragraph, so they get a limit of their own.
"""

import re
from collections import Counter

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*)[^<>]*>?")
_MAX_DEPTH = 512
_MAX_FORMATTING = 16
_MAX_TAG = 65_536  # characters; a longer tag keeps its name alone

_FORMATTING = frozenset("a b big code em font i nobr s small strike strong tt u".split())  # noqa: SIM905 - one a line would fill a page
# Never open, or closed by the next of their kind: these do not nest by themselves.
_FLAT = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li dt dd option "  # noqa: SIM905 - as above
    "optgroup tr td th thead tbody tfoot caption colgroup rb rp rt rtc html head body".split()
)


def shallow(html: str) -> str:
    """Take out the tags that nest deeper than a browser would go; text is never taken out.

    Takes time linear in the length of `html`.
    """
    return _TAG.sub(_Nesting().judge, html)


class _Nesting:
    """Counts what is open, as far as tags alone tell."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._depth = 0
        self._formatting = 0

    def judge(self, tag: re.Match[str]) -> str:
        closes, name = tag[1], tag[2].lower()
        kept = name in _FLAT or (self._may_close(name) if closes else self._may_open(name))
        if not kept:
            return ""
        return tag[0] if len(tag[0]) <= _MAX_TAG else f"<{closes}{name}>"

    def _may_open(self, name: str) -> bool:
        formats = name in _FORMATTING
        if self._depth >= _MAX_DEPTH or (formats and self._formatting >= _MAX_FORMATTING):
            self._dropped[name] += 1
            return False
        self._count(name, 1)
        return True

    def _may_close(self, name: str) -> bool:
        if self._dropped[name]:
            self._dropped[name] -= 1
            return False
        if self._open[name]:
            self._count(name, -1)
        return True

    def _count(self, name: str, change: int) -> None:
        self._open[name] += change
        self._depth += change
        self._formatting += change if name in _FORMATTING else 0
