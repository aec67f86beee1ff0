"""Every sentence that a reader gets from the bot itself, in the script of the question."""

from collections.abc import Sequence
from functools import lru_cache

from opencc import OpenCC

from corpus.fold import fold

NOTHING_YET = "还没有可以查的文档。请先用 `wenqu ingest 文件或文件夹` 加入文档，再来提问。"
_WITHOUT = "文中没有找到这个问题的答案。"
_MISSING = "文中没有提到{missing}。"
_ABSENT_FACT = "文中提到了{subject}，但没有提到{missing}。"
_UNSTATED = "文中提到了{subject}，但没有说明所问的内容。"
_NEAREST = "相近的内容：{nearest}。"

UNVERIFIED = "（未经原文核实）"
FALLEN_BACK = {
    "extractive": "（语言模型没有作答，以上摘自原文。）",
    "llm": "（语言模型没有写完，以上是已核实的部分。）",
}

CHAT = {
    "greeting": "你好！我是问渠，可以回答已收录文档里的问题，每句话都附有原文出处。想了解什么？",
    "thanks": "不客气！还有别的问题，随时问我。",
    "who": (
        "我是问渠，一个文档问答助手：只根据已收录的文档回答，每句话都标明出自哪里；"
        "文档里没有的，我会直说。"
    ),
    "ability": (
        "我能在已收录的文档里查找答案，给出原文出处，也能接着上文追问。"
        "文档里没有的内容，我会告诉你没有。直接提问就好。"
    ),
    "bye": "再见！有问题再来找我。",
    "praise": "谢谢！还想了解什么，接着问就好。",
}


def refusal(*, missing: Sequence[str], subject: str, nearest: Sequence[str]) -> str:
    """Say that the documents do not tell, what they lack, and what is near.

    Args:
        missing: Words of the question that nothing found speaks of.
        subject: What the documents do speak of, or "".
        nearest: Headings worth reading.
    """
    lacking = "、".join(f"“{word}”" for word in missing)
    if missing and subject:
        said = _ABSENT_FACT.format(subject=f"“{subject}”", missing=lacking)
    elif missing:
        said = _MISSING.format(missing=lacking)
    elif subject:
        said = _UNSTATED.format(subject=f"“{subject}”")
    else:
        said = _WITHOUT
    if nearest:
        said += _NEAREST.format(nearest="；".join(nearest))
    return said


@lru_cache(maxsize=1)
def _to_traditional() -> OpenCC:
    return OpenCC("s2t")


@lru_cache(maxsize=1)
def _to_simplified() -> OpenCC:
    return OpenCC("t2s")


def is_traditional(text: str) -> bool:
    """Whether `text` is in traditional script: simplifying changes it, the reverse does not."""
    return fold(text) != text.casefold() and _to_simplified().convert(text) != text


def in_script_of(question: str, message: str) -> str:
    """Return our own `message` in the script that the question is written in."""
    return str(_to_traditional().convert(message)) if is_traditional(question) else message
