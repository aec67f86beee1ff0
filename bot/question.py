"""What a question asks for: its kind, its names, its words."""

import re
from dataclasses import dataclass

from bot.errors import QuestionError
from bot.lexicon import Kind, lexicon
from corpus.fold import fold
from corpus.words import Segmenter, Word, names
from index.gazetteer import Gazetteer

LONGEST = 2000
"""Characters. Longer questions are refused, never cut in silence."""

_BLANK = " \t\n，。、；：？！,.;:?!“”\"'（）()"
_QUOTED = re.compile(r"[《「『“\"]([^》」』”\"]{1,40})[》」』”\"]")


@dataclass(frozen=True, slots=True)
class Question:
    """A question that stands alone, taken apart.

    Attributes:
        text: As it is searched.
        kind: What sort of answer it wants.
        content: Folded words that an answer should speak of, without repeats, in order.
        names: Folded Latin names and quoted titles, which an answer must speak of.
        subjects: Folded names that the corpus itself uses, such as titles of documents.
        rest: Those of `content` that are no part of `names` or `subjects`: what is asked of them.
    """

    text: str
    kind: Kind
    content: tuple[str, ...]
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    rest: tuple[str, ...]


def check(text: str) -> str:
    """Return `text` without the white space around it.

    Raises:
        QuestionError: It is empty, has no letter or digit, is too long or is not valid text.
    """
    stripped = text.strip()
    if len(stripped) > LONGEST:
        raise QuestionError(
            code="too_long", reason=f"{len(stripped)} characters, at most {LONGEST}"
        )
    if not any(character.isalnum() for character in stripped):
        raise QuestionError(code="empty", reason="no letter, digit or Chinese character in it")
    if "\0" in stripped:
        raise QuestionError(code="broken", reason=f"NUL at {stripped.index(chr(0))}")
    try:
        stripped.encode("utf-8")
    except UnicodeEncodeError as error:
        raise QuestionError(code="broken", reason=f"broken character at {error.start}") from error
    return stripped


def kind_of(text: str) -> Kind:
    """Return the kind of a question by its wording, `what` where nothing tells."""
    folded = fold(text)
    return next((kind for kind, pattern in lexicon().kinds if pattern.search(folded)), "what")


def words_to_find(text: str, segmenter: Segmenter) -> str:
    """Return `text` with blanks for the words that only ask; all of it if nothing else is there."""
    letters = list(text)
    for word in segmenter.words(text):
        if word.text in lexicon().asking:
            letters[word.start : word.end] = " " * (word.end - word.start)
    return "".join(letters) if "".join(letters).strip(_BLANK) else text


def understand(text: str, segmenter: Segmenter, gazetteer: Gazetteer) -> Question:
    """Take a checked question apart."""
    mentions = gazetteer.find(text)
    places = [(mention.start, mention.end) for mention in mentions]
    loose = {name.start for name in names(text) if places and _is_loose(text, name, places)}
    skipped = lexicon().asking
    words = segmenter.words(text)
    content = [word for word in words if word.text not in skipped and word.start not in loose]
    latin = [name for name in names(text) if name.text not in skipped and name.start not in loose]
    quoted = [fold(match.group(1)) for match in _QUOTED.finditer(text)]
    named = [*places, *((name.start, name.end) for name in latin)]
    rest = [word.text for word in content if not _within(word, named)]
    return Question(
        text=text,
        kind=kind_of(text),
        content=tuple(dict.fromkeys(word.text for word in content)),
        names=tuple(dict.fromkeys([*(name.text for name in latin), *quoted])),
        subjects=tuple(dict.fromkeys(fold(mention.name) for mention in mentions)),
        rest=tuple(dict.fromkeys(rest)),
    )


def _is_loose(text: str, name: Word, places: list[tuple[int, int]]) -> bool:
    """Whether `name` is an English word among Chinese, as in «PaaS platform 有哪些», and no name.

    That is: written small, unknown to the corpus, beside a subject that is known.
    """
    return text[name.start : name.end].islower() and not _within(name, places)


def _within(word: Word, places: list[tuple[int, int]]) -> bool:
    return any(start <= word.start and word.end <= end for start, end in places)
