"""Answers as Block Kit: the answer, its sources by number, two thumbs.

Limits of Slack that hold here: 50 blocks a message, 3,000 characters of text a block and of a
button's address: https://docs.slack.dev/reference/block-kit/blocks
"""

from bot.channels.portions import Source, clip, pack, sources
from bot.channels.slack_text import escaped
from bot.pieces import parts
from bot.wire import Json

SEARCHING = "正在查找…"
UP, DOWN, VIEW = "fb_up", "fb_down", "view"
_TEXT = 3000
_URL = 3000
_SECTIONS = 8
_SOURCES = 30
_PREVIEW_BYTES = 600
_LONGEST_ESCAPE = len("&amp;")
_THUMBS = ((UP, "👍 有用", "primary"), (DOWN, "👎 没用", "danger"))


def waiting(mark: str) -> Json:
    """Return the message that stands where the answer will be; its block is found by `mark`."""
    return {"text": SEARCHING, "blocks": [{**_section(SEARCHING), "block_id": mark}]}


def message(reply: Json, team: str) -> Json:
    """Return an answer object as a message.

    Args:
        reply: The answer object.
        team: The workspace that it is for: a vote from another one does not count.
    """
    answer = reply["answer"]
    blocks = [_section(text) for text in _sections(answer)]
    found = sources(reply)
    blocks += [_source(source) for source in found[:_SOURCES]]
    if more := len(found[_SOURCES:]):
        blocks.append(_section(f"还有 {more} 处出处没有列出。"))
    if turn_id := reply["turn_id"]:
        thumbs = [
            {**_button(label, name), "value": f"{team}:{turn_id}"} for name, label, _ in _THUMBS
        ]
        blocks.append({"type": "actions", "elements": thumbs})
    return {"text": escaped(clip(parts(answer), _PREVIEW_BYTES)), "blocks": blocks}


def chosen(blocks: list[Json], action: str) -> list[Json]:
    """Return the blocks of an answer, as Slack gives them back, with that thumb shown as given."""
    styles = {name: style for name, _, style in _THUMBS}

    def styled(button: Json) -> Json:
        plain = {name: value for name, value in button.items() if name != "style"}
        return {**plain, "style": styles[action]} if button.get("action_id") == action else plain

    return [
        {**block, "elements": [*map(styled, block["elements"])]}
        if block.get("type") == "actions"
        else block
        for block in blocks
    ]


def _sections(answer: str) -> list[str]:
    """Escape, and cut between sentences; inside of one only if it is too long for a block."""
    step = _TEXT // _LONGEST_ESCAPE - 1
    pieces = (
        escaped(part[start : start + step])
        for part in parts(answer)
        for start in range(0, len(part), step)
    )
    sections = [text for text in pack(pieces, _TEXT - len("…".encode())) if text.strip()]
    if len(sections) > _SECTIONS:
        return [*sections[: _SECTIONS - 1], sections[_SECTIONS - 1] + "…"]
    return sections


def _section(text: str) -> Json:
    # verbatim: names such as @channel and bare addresses are left as they stand
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _source(source: Source) -> Json:
    text = f"*[{source.number}]* {escaped(source.title)}\n{escaped(f'“{source.quote}”')}"
    if not source.url or len(source.url) > _URL:
        return _section(text)
    button = {**_button("查看原文", VIEW), "url": source.url}
    return {**_section(text), "accessory": button}


def _button(label: str, action: str) -> Json:
    text = {"type": "plain_text", "text": label, "emoji": True}
    return {"type": "button", "text": text, "action_id": action}
