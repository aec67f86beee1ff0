"""Front matter: the YAML between two `---` lines that opens a text."""

import json
import re
from typing import Any

import yaml

from corpus.clean import clean

_OPEN = re.compile(r"\s*---[ \t]*\n")
_CLOSE = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE)
_PAIR = re.compile(r"^([\w.-]+)[ \t]*:[ \t]*(.*)$", re.MULTILINE)

_MAX_CHARACTERS = 65_536


class _StringLoader(yaml.SafeLoader):
    """A safe loader that leaves `2020-10-13`, `1.10` and `no` as they are written.

    Aliases are refused: repeated, they grow a few lines into gigabytes.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML declares it

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            message = "aliases are not allowed in front matter"
            raise yaml.YAMLError(message)
        return super().compose_node(parent, index)


def peel(text: str) -> tuple[dict[str, str], str]:
    """Split `text` into its front matter and its body.

    YAML that does not parse, such as `title: Docker: 简史`, is read line by line as `key: value`.
    Without front matter, or with one above 64 KiB, the metadata is empty and the body all of
    `text`.

    Args:
        text: With LF line ends.

    Returns:
        Metadata (a list is joined by `、`) and the text after the closing line.
    """
    start = _OPEN.match(text)
    end = _CLOSE.search(text, start.end(), start.end() + _MAX_CHARACTERS) if start else None
    if not start or not end:
        return {}, text
    block = text[start.end() : end.start()]
    metadata = _mapping(block) or dict(_PAIR.findall(block))
    if block.strip() and not metadata:  # two rulers with prose between them
        return {}, text
    return {clean(key): clean(value).strip() for key, value in metadata.items()}, text[end.end() :]


def _mapping(block: str) -> dict[str, str]:
    try:
        loaded = yaml.load(block, _StringLoader)  # noqa: S506 - a SafeLoader, see above
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    if not isinstance(loaded, dict):
        return {}
    return {str(key): _string(value) for key, value in loaded.items()}


def _string(value: Any) -> str:  # noqa: ANN401 - whatever YAML holds
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "、".join(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)
