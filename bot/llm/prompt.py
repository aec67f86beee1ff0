"""What a language model is told: files in `prompts/`, one for each task and language.

What comes from outside stands between two lines that nobody can guess, made anew for each call.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Literal, TypeAlias

from bot.answer import Turn
from bot.messages import is_traditional
from bot.verify import without_markers
from index.hit import Hit

Task: TypeAlias = Literal["answer", "rewrite"]
Language: TypeAlias = Literal["zh-Hans", "zh-Hant", "en"]

LONGEST = 6000
"""Characters of passages that a model is shown; further ones are left out whole."""
_TURNS = 3
_ANSWER = 300
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_CUT = "\n===\n"
_BREAKS = re.compile(r"\s*[\r\n\u2028\u2029]\s*")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One call to a model: what is asked of it, and on what."""

    system: str
    user: str


def _random_fence() -> str:
    return f"text-{secrets.token_hex(8)}"


def answer_prompt(
    question: str, hits: Sequence[Hit], fence: Callable[[], str] = _random_fence
) -> Prompt:
    """Ask for an answer from `hits`, which it may cite as `[S1]`, `[S2]` and so on, in order.

    Args:
        question: Standing alone.
        hits: Those that `shown` lets through.
        fence: Makes what the passages stand between.
    """
    passages = [
        f"[S{number}] {' › '.join(dict.fromkeys((hit.title, *hit.passage.headings)))}\n"
        f"{hit.passage.text}"
        for number, hit in enumerate(hits, start=1)
    ]
    return _prompt("answer", question, passages, fence())


def rewrite_prompt(
    question: str, turns: Sequence[Turn], fence: Callable[[], str] = _random_fence
) -> Prompt:
    """Ask for `question` with what it leaves to `turns`, oldest first, filled in."""
    said = [
        f"- {turn.answer.standalone_question or turn.question}\n"
        f"  {without_markers(turn.answer.text)[:_ANSWER]}"
        for turn in turns[-_TURNS:]
    ]
    return _prompt("rewrite", question, said, fence())


def shown(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Return the first hits, as many as fit in `LONGEST`; the very first in any case."""
    found: list[Hit] = []
    room = LONGEST
    for hit in hits:
        room -= len(hit.passage.text)
        if found and room < 0:
            break
        found.append(hit)
    return tuple(found)


def language_of(question: str) -> Language:
    """Return the language in which `question` is answered."""
    if not _HAN.search(question):
        return "en"
    return "zh-Hant" if is_traditional(question) else "zh-Hans"


def _prompt(task: Task, question: str, documents: Sequence[str], fence: str) -> Prompt:
    system, user = _template(task, language_of(question))
    # A random fence is in no document; one that is known, as in a test, is taken out of them.
    inside = "\n\n".join(documents).replace(fence, "")
    values = {"fence": fence, "documents": inside, "question": _BREAKS.sub(" ", question)}
    return Prompt(system.substitute(values), user.substitute(values).strip())


@cache
def _template(task: Task, language: Language) -> tuple[Template, Template]:
    text = files("bot.llm").joinpath("prompts", f"{task}.{language}.txt").read_text("utf-8")
    system, _, user = text.partition(_CUT)
    return Template(system), Template(user)
