"""What a static site generator adds to Markdown: shortcodes, heading anchors, comments.

Hugo (and the Kubernetes documentation, which is the largest Chinese text written for it) fills
shortcodes in when it builds the page; here their words are kept and the rest goes.
"""

import re

_SHORTCODE = re.compile(
    r"\{\{[<%][\s*]*(?P<slash>/?)[\s*]*(?P<name>[\w-]*)(?P<arguments>[^{}]*)\}\}"
)
_UNSEEN = frozenset({"comment", "mermaid"})  # what stands between the two is no text
_ARGUMENT = re.compile(r"""(?:([\w-]+)\s*=\s*)?(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`|([^\s"`<>%]+))""")
_WORDED = ("text", "title", "caption")  # arguments that a reader of the page sees
_ANCHOR = re.compile(r"[ \t]*\{#[^{}\n]*\}[ \t]*$", re.MULTILINE)
_CODE_OR_COMMENT = re.compile(r"<!--|(?<!`)(`+)(?!`)[^`]*+(?<!`)\1(?!`)")
_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|[0-9]+[.)])[ \t]+)*(`{3,}|~{3,})")

# The Chinese wording of the Kubernetes site for `{{% heading "whatsnext" %}}`.
_HEADINGS = {
    "cleanup": "清理现场",
    "objectives": "教程目标",
    "options": "选项",
    "prerequisites": "准备开始",
    "seealso": "另请参见",
    "synopsis": "概要",
    "whatsnext": "接下来",
}


def without_shortcodes(text: str) -> str:
    """Put the words of each shortcode in its place.

    `{{< glossary_tooltip text="Pod" term_id="pod" >}}` becomes `Pod`, `{{% heading "whatsnext" %}}`
    `接下来`, `{{< note >}}` nothing. Diagrams and comments between two shortcodes go as a whole.
    """
    codes = list(_SHORTCODE.finditer(text))
    closings = {code["name"]: code.start() for code in codes if code["slash"]}  # the last of each
    kept: list[str] = []
    place = 0
    unseen = ""  # the name of the shortcode whose inside is being passed over
    for code in codes:
        name, closes = code["name"], bool(code["slash"])
        if unseen:
            if closes and name == unseen:
                unseen, place = "", code.end()
            continue
        kept.append(text[place : code.start()])
        place = code.end()
        if name in _UNSEEN and not closes and code.start() < closings.get(name, 0):
            unseen = name
        elif not closes:
            kept.append(_words(name, code["arguments"]))
    return "".join((*kept, text[place:]))


def without_anchors(text: str) -> str:
    """Take out anchors such as `{#what-is-a-pod}` at the end of a line."""
    return _ANCHOR.sub("", text) if "{#" in text else text


def without_comments(markdown: str) -> str:
    """Take out `<!-- … -->`, except in code, where it is an example.

    Done before the Markdown is parsed, because a comment may begin in a list item and end
    outside of it. One that never ends runs to the end of the text, as in HTML.
    """
    if "<!--" not in markdown:
        return markdown
    kept: list[str] = []
    fence = ""
    commented = in_html = False
    for line in markdown.splitlines(keepends=True):
        mark = None if commented else _FENCE.match(line)
        closes = bool(
            fence and mark and mark[1].startswith(fence) and not line[mark.end() :].strip()
        )
        if fence or mark:
            kept.append(line)
            fence = "" if closes else fence or (mark[1] if mark else "")
            continue
        rest, commented = _outside(line, commented=commented)
        if line.strip() and not rest.strip() and in_html:
            continue  # a blank line would end the HTML; anywhere else a comment parts paragraphs
        kept.append(rest)
        in_html = bool(rest.strip()) and (in_html or rest.lstrip().startswith("<"))
    return "".join(kept)


def _outside(line: str, *, commented: bool) -> tuple[str, bool]:
    """Give what of `line` stands outside comments, and whether one is open after it."""
    kept: list[str] = []
    place = 0
    while True:
        if commented:
            end = line.find("-->", place)
            if end < 0:
                break
            place, commented = end + 3, False
        start = _comment_start(line, place)
        if start < 0:
            return "".join((*kept, line[place:])), False
        kept.append(line[place:start])
        place, commented = start + 4, True
    return "".join((*kept, "\n")), True


def _comment_start(line: str, place: int) -> int:
    """Find the next `<!--` of `line` that stands in no code span; -1 if there is none."""
    found = _CODE_OR_COMMENT.search(line, place)
    while found and found[0] != "<!--":
        found = _CODE_OR_COMMENT.search(line, found.end())
    return found.start() if found else -1


def _words(name: str, inside: str) -> str:
    arguments: list[tuple[str, str]] = [
        (key, quoted or raw or bare) for key, quoted, raw, bare in _ARGUMENT.findall(inside)
    ]
    if name == "heading" and arguments:
        return _HEADINGS.get(arguments[0][1], arguments[0][1])
    wanted = (*_WORDED, "name") if name == "tab" else _WORDED
    return next((value for key, value in arguments if key in wanted), "")
