"""Keep a page shallow enough to parse and to walk.

An HTML5 parser asks at many tags which elements are open, so its time grows with the square of
the nesting. Browsers end that at 512 elements (Chromium's `kMaximumHTMLParserDOMTreeDepth`):
what is deeper becomes a sibling. Formatting elements that were never closed are opened again in
every paragraph, so they get a limit of their own.
"""

import re
from collections import Counter

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)[^<>]*>?")
_MAX_DEPTH = 512
_MAX_FORMATTING = 16
_MAX_TAG = 65_536  # characters; beyond, a tag keeps its name alone

_FORMATTING = frozenset("a b big code em font i nobr s small strike strong tt u".split())
# Either never open, or closed by the next of their kind: these do not nest by themselves.
_FLAT = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li dt dd option "
    "optgroup tr td th thead tbody tfoot caption colgroup rb rp rt rtc html head body".split()
)


def shallow(html: str) -> str:
    """Take out the tags that nest deeper than a browser would go; text is never taken out.

    Returns `html` itself in the ordinary case. Takes time linear in its length.
    """
    if html.count("<") <= _MAX_FORMATTING:
        return html
    depths: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    kept: list[str] = []
    depth = formatting = place = 0
    for tag in _TAG.finditer(html):
        closes, name = tag[1], tag[2].lower()
        if len(tag[0]) > _MAX_TAG:
            kept += (html[place : tag.start()], f"<{closes}{name}>")
            place = tag.end()
        if name in _FLAT:
            continue
        if closes:
            if dropped[name]:
                dropped[name] -= 1
            elif depths[name]:
                depths[name] -= 1
                depth -= 1
                formatting -= name in _FORMATTING
                continue
            else:
                continue
        elif depth < _MAX_DEPTH and not (name in _FORMATTING and formatting >= _MAX_FORMATTING):
            depths[name] += 1
            depth += 1
            formatting += name in _FORMATTING
            continue
        else:
            dropped[name] += 1
        if place < tag.end():
            kept.append(html[place : tag.start()])
            place = tag.end()
    return "".join((*kept, html[place:])) if place else html
