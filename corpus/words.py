"""Words and the terms that texts and questions are matched by."""

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.fold import fold, fold_with_offsets

_RUN = re.compile(
    # a Latin name, code, version or number, whole: cri-o, v1.24, c++, k8s, 3.5%
    r"(?P<code>[a-z0-9]+(?:[-._+#/&'@:][a-z0-9]+)*(?:\+\+|#|%)?)"
    r"|(?P<han>[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"
    r"|(?P<other>[^\W_]+)"
)
_PART = re.compile(r"[a-z]+|[0-9]+(?:\.[0-9]+)*")
_NAME = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z0-9]+(?:[-._+#/&'][A-Za-z0-9]+)*\+{0,2}"
    r"(?: (?:[A-Z0-9][A-Za-z0-9]*(?:[-._+#/&'][A-Za-z0-9]+)*))*"
)

_LONGEST_GUESS = 100


@dataclass(frozen=True, slots=True)
class Word:
    """A word where it stands.

    Attributes:
        text: Folded, see `corpus.fold`.
        start: Offset of its first character in the text it came from.
        end: Offset after its last character there.
    """

    text: str
    start: int
    end: int


class Segmenter:
    """Cuts text into words by jieba, with product names and codes kept whole.

    Owns its dictionary: words added here are not seen by other users of jieba in the process.
    """

    def __init__(self, cache: Path, extra: Iterable[str] = ()) -> None:
        """Load the dictionary, which takes some tenths of a second.

        Args:
            cache: Folder of this user in which the dictionary is kept.
            extra: Words to keep whole that jieba does not know.
        """
        import jieba  # noqa: PLC0415  # commands that segment nothing start without it

        jieba.setLogLevel(logging.WARNING)
        cache.mkdir(parents=True, exist_ok=True)
        self._extra = sorted({fold(word.strip()) for word in extra if word.strip()})
        self._jieba: Any = jieba.Tokenizer()
        self._load(cache / f"jieba-{jieba.__version__}.json")
        for word in self._extra:
            self._jieba.add_word(word)
        digest = hashlib.sha256("\n".join(self._extra).encode()).hexdigest()[:12]
        self._id = f"jieba-{jieba.__version__}+{digest}"

    def _load(self, kept: Path) -> None:
        """Load jieba's dictionary from where it is kept, or make it and keep it there.

        jieba keeps its own in marshalled form, which is slower to read and must never be read
        from where others can write.
        """
        with suppress(OSError, ValueError):  # then it is made
            self._jieba.FREQ, self._jieba.total = json.loads(kept.read_bytes())
            self._jieba.initialized = True
            return
        made = self._jieba.gen_pfdict(self._jieba.get_dict_file())
        self._jieba.FREQ, self._jieba.total = made
        self._jieba.initialized = True
        part = kept.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
        part.replace(kept)

    @property
    def id(self) -> str:
        """Differs whenever the same text could be cut in another way."""
        return self._id

    def words(self, text: str) -> list[Word]:
        """Return the words of `text` in order, without overlap; punctuation is left out."""
        folded = fold_with_offsets(text)
        return [
            Word(word, *folded.original(start, end)) for word, start, end in self._cut(folded.text)
        ]

    def terms(self, text: str) -> list[str]:
        """Return what `text` is found by, repeats included.

        Words, the shorter words inside long ones, the parts of codes (`cri-o` is found by `cri`),
        and the bigrams of Chinese characters, which find what the dictionary cuts wrongly.
        """
        found: list[str] = []
        for run in _RUN.finditer(fold(text)):
            piece = run.group()
            if run.lastgroup == "han":
                found.extend(self._jieba.cut_for_search(piece, HMM=False))
                found.extend(bigrams(piece))
            else:
                found.append(piece)
                found.extend(parts(piece))
        return found

    def _cut(self, folded: str) -> Iterator[tuple[str, int, int]]:
        for run in _RUN.finditer(folded):
            if run.lastgroup == "han":
                at = run.start()
                for piece in _pieces(run.group()):
                    for word in self._jieba.cut(piece, HMM=True):
                        yield word, at, at + len(word)
                        at += len(word)
            else:
                yield run.group(), run.start(), run.end()


def _pieces(run: str) -> Iterator[str]:
    """Yield a run of characters in pieces: guessing words takes time by the square of the length.

    No Chinese sentence is so long without a mark in it; a longer run is a list, or hostile.
    """
    for at in range(0, len(run), _LONGEST_GUESS):
        yield run[at : at + _LONGEST_GUESS]


def bigrams(run: str) -> list[str]:
    """Return each pair of neighbouring characters; the character itself if it is alone."""
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def parts(code: str) -> list[str]:
    """Return the letters and numbers that a folded code is made of, unless it is one itself."""
    found = _PART.findall(code)
    return [part for part in found if len(part) > 1 or part.isdigit()] if len(found) > 1 else []


def names(text: str) -> list[Word]:
    """Return the Latin names in `text`: `Docker`, `Kata Containers`, `cri-o`, `v1.24`.

    Neighbouring words belong together while they begin with a capital letter or a digit. What has
    no letter in it is no name.
    """
    return [
        Word(fold(found.group()), found.start(), found.end())
        for found in _NAME.finditer(text)
        if re.search("[A-Za-z]", found.group())
    ]


def read_dictionary(path: Path) -> list[str]:
    """Return the words of a user dictionary: one a line, UTF-8, `#` begins a remark.

    Raises:
        OSError: The file cannot be read.
    """
    rows = path.read_text(encoding="utf-8-sig").splitlines()
    return [word for row in rows if (word := row.partition("#")[0].strip())]
