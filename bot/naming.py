"""Two names of one thing, where a text says so: «Let Me Contain That For You (LMCTFY)»."""

import re

from corpus.fold import fold_with_offsets

_LATIN = r"[a-z0-9][a-z0-9.+#/-]*(?: [a-z0-9][a-z0-9.+#/'-]*){0,7}"
_OTHER = rf"(?:{_LATIN}|[\w·]{{2,16}})"
_SAYS = (
    r"(?:的?(?:简称|缩写|全称|全名|英文名?|中文名?|又名|又称|也叫|也称|即|亦称|原名|别名)"
    r"(?:为|是|叫|作|:)? ?)"
)
_BECAME = (
    r" ?(?:技术|项目|系统)? ?[，,]? ?(?:后续|后来|随后|之后|正式|并|也)*(?:更名|改名)(?:为|成|叫) ?"
)


def other_name(name: str, text: str) -> str:
    """Return the words of `text` that stand beside `name` as another name of it, "" if none do.

    Args:
        name: Folded.
        text: A sentence, as it is written.
    """
    folded = fold_with_offsets(text)
    one = re.escape(name)
    for form in (
        rf"(?P<other>{_LATIN}|[\w·]{{2,12}}) ?[（(] ?{_SAYS}?{one} ?[)）]",
        rf"(?<![a-z0-9]){one} ?[（(] ?{_SAYS}?(?P<other>{_OTHER}) ?[)）]",
        rf"(?<![a-z0-9]){one} ?[，,]? ?{_SAYS}(?P<other>{_OTHER})",
        rf"(?P<other>{_LATIN}|[\w·]{{2,12}}) ?[，,]? ?{_SAYS}{one}(?![a-z0-9])",
        rf"(?P<other>{_LATIN}){_BECAME}{one}(?![a-z0-9])",
        rf"(?<![a-z0-9]){one}{_BECAME}(?P<other>{_OTHER})",
        rf"(?<![a-z0-9]){one} ?是 ?(?P<other>{_OTHER}?) ?的(?:简称|缩写|全称|英文名)",
    ):
        found = re.search(form, folded.text)
        if found:
            start, end = folded.original(*found.span("other"))
            return text[start:end].strip()
    return ""
