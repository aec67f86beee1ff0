"""From a stream of text to sentences with the passages that each cites.

One character at a time, so the result cannot depend on where the stream was cut into chunks: a
handle in two halves is a handle.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from bot.errors import GenerationError
from corpus.sentences import sentences

LONGEST = 4000
"""Characters that are read of one answer."""

_OPEN = {"[": "]", "［": "］", "【": "】", "\u3014": "\u3015"}
_ASIDES = {"“": "”", "「": "」", "『": "』", "（": "）", "(": ")", "《": "》"}
_TERMINATORS = frozenset("。！？!?…")
_CLOSERS = frozenset("”’」』）)》〉\"'")
_QUOTE_ENDS = frozenset("”」』")
_GOES_ON = frozenset("，、；：,;:的是地得这他她说道和与及等")
_LONGEST_HANDLE = 40
_LONGEST_ASIDE = 120

# after NFKC: S1, S1-S3, S1,S2, S1、2
_STEP = r"\s*(?P<to>[-\u2010-\u2015~至到])\s*|\s*[,、;/&和]\s*|\s+"
_HANDLES = re.compile(rf"S[0-9]{{1,2}}(?:(?:{_STEP.replace('?P<to>', '?:')})S?[0-9]{{1,2}})*")
_NEXT = re.compile(rf"(?:{_STEP})?S?(?P<number>[0-9]{{1,2}})")
_OTHER_MARKER = re.compile(r"[\^#]?\s*[0-9]+(?:\s*[-,、;\u2010-\u2015]\s*[0-9]+)*|S[0-9]+")
_HALF_HANDLE = re.compile(r"\W\s*S?[\sS0-9,、;~\-\u2010-\u2015]*")

_LOOPS = range(1, 80)
_LOOP_TIMES = 4
_LOOP_LENGTH = 32
_LOOP_EVERY = 16


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a model said, not yet held to anything.

    Attributes:
        text: Without handles, otherwise as it came.
        handles: Passages it cites, from 1, in order, each once; only those there are.
        new_line: Whether it begins one.
    """

    text: str
    handles: tuple[int, ...]
    new_line: bool = False


class Parser:
    """Reads one answer. What is no handle of a passage there is, such as `[S99]` or `[1]`, goes."""

    def __init__(self, passages: int) -> None:
        """Accept the handles `[S1]` to `[S{passages}]`, in square brackets of any width."""
        self._passages = passages
        self._text: list[str] = []
        self._handles: dict[int, None] = {}
        self._bracket = ""
        self._asides: list[tuple[str, int]] = []
        self._ended = False
        self._new_line = False
        self._read: list[str] = []

    def feed(self, chunk: str) -> Iterator[Sentence]:
        """Yield the sentences that `chunk` completes.

        A sentence is complete when the next one begins, since its handles may follow its stop.

        Raises:
            GenerationError: It has become too long, or goes round in a circle.
        """
        for character in chunk:
            self._read.append(character)
            looked_at = len(self._read) % _LOOP_EVERY == 0
            if len(self._read) > LONGEST or (looked_at and self._circles()):
                raise GenerationError(
                    reason="endless", detail=f"after {len(self._read)} characters"
                )
            yield from self._take(character)

    def close(self) -> Iterator[Sentence]:
        """Yield what is left of an answer that has come to its end."""
        bracket, self._bracket = self._bracket, ""
        if not _HALF_HANDLE.fullmatch(unicodedata.normalize("NFKC", bracket)):
            for character in bracket:
                yield from self._put(character)
        yield from self._emit()

    def _take(self, character: str) -> Iterator[Sentence]:
        if not self._bracket:
            if character in _OPEN:
                self._bracket = character
            else:
                yield from self._put(character)
            return
        if character == _OPEN[self._bracket[0]]:
            bracket, self._bracket = self._bracket + character, ""
            if not self._is_marker(bracket[1:-1]):
                for inner in bracket:
                    yield from self._put(inner)
        elif character == "\n" or character in _OPEN or len(self._bracket) > _LONGEST_HANDLE:
            bracket, self._bracket = self._bracket, ""
            for inner in bracket:
                yield from self._put(inner)
            yield from self._take(character)
        else:
            self._bracket += character

    def _is_marker(self, content: str) -> bool:
        """Whether a bracket is a marker of any kind; those that are handles are noted."""
        inner = unicodedata.normalize("NFKC", content).strip()
        if not _HANDLES.fullmatch(inner):
            return bool(_OTHER_MARKER.fullmatch(inner))
        last = 0
        for found in _NEXT.finditer(inner):
            number = int(found["number"])
            first = min(last + 1, number) if found["to"] else number
            for one in range(first, number + 1):
                if 1 <= one <= self._passages:
                    self._handles.setdefault(one)
            last = number
        return True

    def _put(self, character: str) -> Iterator[Sentence]:
        """Take a character that belongs to no marker."""
        if character in "\n\r":
            yield from self._emit()
            self._new_line = True
            return
        if self._ended:
            if character in _TERMINATORS or character in _CLOSERS:
                self._text.append(character)
                return
            if character.isspace():
                self._text.append(character)
                return
            latin = self._text[-1] in "!?" and "!" <= character <= "~"  # `a!=b`, `?q=`
            if latin or (self._text[-1] in _QUOTE_ENDS and character in _GOES_ON):
                self._ended = False  # «“走吧。”他说»
            else:
                yield from self._emit()
        elif self._latin_stop(character):
            yield from self._emit()
        self._text.append(character)
        self._note_end(character)

    def _note_end(self, character: str) -> None:
        if self._asides and (
            character == self._asides[-1][0]
            or len(self._text) - self._asides[-1][1] > _LONGEST_ASIDE
        ):
            closed, _ = self._asides.pop()
            quoted = closed in _QUOTE_ENDS and character == closed and not self._asides
            self._ended = quoted and self._text[-2] in _TERMINATORS
        elif character in _ASIDES:
            self._asides.append((_ASIDES[character], len(self._text)))
        elif character in _TERMINATORS and not self._asides:
            self._ended = True

    def _latin_stop(self, character: str) -> bool:
        """Whether a full stop and a space, just before `character`, ended a sentence."""
        if character.isspace() or not self._text or not self._text[-1].isspace():
            return False
        said = "".join(self._text)
        return said.rstrip().endswith(".") and len(sentences(said + character)) > 1

    def _emit(self) -> Iterator[Sentence]:
        text = "".join(self._text).strip()
        if text:
            yield Sentence(text, tuple(self._handles), self._new_line)
            self._new_line = False
        self._text.clear()
        self._handles.clear()
        self._asides.clear()
        self._ended = False

    def _circles(self) -> bool:
        """Whether the last characters are the same few over and over."""
        for length in _LOOPS:
            times = max(_LOOP_TIMES, -(-_LOOP_LENGTH // length))
            if length * times > len(self._read):
                continue
            if self._read[-length * (times - 1) :] == self._read[-length * times : -length]:
                return True
        return False
