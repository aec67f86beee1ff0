"""What a language model is used for: to write an answer, and to complete a follow-up."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from anyio import to_thread

from bot.answer import Turn
from bot.counters import Counters, Outcome
from bot.errors import GenerationError
from bot.llm.client import Generator, Model, Patience
from bot.llm.draft import Draft
from bot.llm.handles import Parser, Sentence
from bot.llm.plain import plain
from bot.llm.prompt import answer_prompt, rewrite_prompt, shown
from bot.llm.rewrite import MOST_TOKENS, rewritten
from bot.llm.support import Quote, Source, quotes_for
from bot.messages import UNVERIFIED, in_script_of
from bot.pieces import Piece
from bot.settings import Settings
from corpus.fold import fold
from corpus.words import Segmenter
from index.hit import Hit

_REPEATS = 3
"""Sentences said before, after which a model is taken to have lost itself."""


class Writer:
    """Writes with a model and lets through only what the passages carry."""

    def __init__(
        self,
        model: Generator,
        patience: Patience,
        *,
        max_tokens: int = 1024,
        mark: bool = False,
        rewrites: bool = True,
    ) -> None:
        """Write with `model`.

        Args:
            model: Closed by `close`.
            patience: How long an answer may take.
            max_tokens: Of an answer.
            mark: Whether sentences that nothing carries are shown, and said to be so.
            rewrites: Whether follow-ups are completed by the model.
        """
        self._model = model
        self._patience = patience
        self._max_tokens = max_tokens
        self._mark = mark
        self._rewrites = rewrites

    async def write(
        self,
        question: str,
        hits: Sequence[Hit],
        answers: Callable[[str], bool],
        segmenter: Segmenter,
        counters: Counters,
    ) -> AsyncGenerator[Piece]:
        """Yield the sentences of an answer that are certain, each as soon as it is.

        Nothing is shown before a sentence that answers.

        Args:
            question: Standing alone; `hits` answer it.
            hits: Best first; the model sees the first of them.
            answers: Whether a sentence has what is asked for, such as a date.
            segmenter: Cuts text into words.
            counters: Count.

        Raises:
            GenerationError: It ended early, or nothing that it said is carried or answers. What
                was yielded before stays true.
        """
        seen = shown(hits)
        checker = _Checker(question, seen, answers, segmenter, counters, mark=self._mark)
        parser = Parser(len(seen))
        parts = self._model.write(
            answer_prompt(question, seen), patience=self._patience, max_tokens=self._max_tokens
        )
        async with aclosing(_counted(parts, counters)) as counted:
            async for part in counted:
                for sentence in parser.feed(part):
                    for piece in await checker.check(sentence):
                        yield piece
        for sentence in parser.close():
            for piece in await checker.check(sentence):
                yield piece
        if not checker.is_answered:
            is_grounded = checker.draft.is_grounded
            raise GenerationError(reason="unanswered" if is_grounded else "unsupported")

    async def rewrite(self, question: str, turns: Sequence[Turn], counters: Counters) -> str | None:
        """Return `question` with what it leaves to `turns` filled in; None to go by the rules."""
        if not turns or not self._rewrites:
            return None
        patience = Patience(
            self._patience.first,
            self._patience.gap,
            min(self._patience.first, self._patience.total),
        )
        parts = self._model.write(
            rewrite_prompt(question, turns), patience=patience, max_tokens=MOST_TOKENS
        )
        said = ""
        try:
            async with aclosing(_counted(parts, counters)) as counted:
                async for part in counted:
                    said += part
                    if "\n" in said.lstrip():
                        break
        except GenerationError:
            return None
        return rewritten(said, question, turns)

    @property
    def is_resting(self) -> bool:
        """Whether the model failed too often to be called now, or has not worked since."""
        return self._model.is_resting

    async def close(self) -> None:
        """Close the connections of the model."""
        await self._model.close()


class _Checker:
    """Checks the sentences of one answer, in order."""

    def __init__(
        self,
        question: str,
        hits: Sequence[Hit],
        answers: Callable[[str], bool],
        segmenter: Segmenter,
        counters: Counters,
        *,
        mark: bool,
    ) -> None:
        self.draft = Draft()
        self.is_answered = False
        self._answers = answers
        self._held: list[Piece] = []
        self._sources = [Source(hit.passage, hit.title) for hit in hits]
        self._segmenter = segmenter
        self._counters = counters
        self._note = in_script_of(question, UNVERIFIED) if mark else ""
        self._said: set[str] = set()
        self._repeats = 0
        self._new_line = False

    async def check(self, sentence: Sentence) -> list[Piece]:
        """Return what may be shown now.

        Raises:
            GenerationError: The model repeats itself.
        """
        text = plain(sentence.text)
        self._new_line |= sentence.new_line  # a line that is dropped leaves its break
        if not any(character.isalnum() for character in text) or self._is_repeat(text):
            return []
        cited = [self._sources[number - 1] for number in sentence.handles]
        quotes = await to_thread.run_sync(quotes_for, text, cited, self._segmenter)
        if quotes:
            self._counters.count_sentence("kept")
            return self._shown(text, quotes)
        self._counters.count_sentence("marked" if self._note else "dropped")
        if self._note:
            new_line = self._take_line()
            self._held.append(self.draft.add(text, (), new_line=new_line, note=self._note))
        return self._released()

    def _is_repeat(self, text: str) -> bool:
        key = "".join(letter for letter in fold(text) if letter.isalnum())
        if key not in self._said:
            self._said.add(key)
            return False
        self._repeats += 1
        if self._repeats == _REPEATS:
            raise GenerationError(reason="endless", detail="sentences repeat")
        return True

    def _shown(self, text: str, quotes: Sequence[Quote]) -> list[Piece]:
        new_line = self._take_line()
        self._held.append(self.draft.add(text, quotes, new_line=new_line))
        self.is_answered |= self._answers(text)
        return self._released()

    def _released(self) -> list[Piece]:
        held, self._held = (self._held, []) if self.is_answered else ([], self._held)
        return held

    def _take_line(self) -> bool:
        new_line, self._new_line = self._new_line, False
        return new_line


async def _counted(parts: AsyncGenerator[str], counters: Counters) -> AsyncGenerator[str]:
    """Yield `parts` and count how the call went."""
    outcome: Outcome = "left"  # unless it ends or fails, nobody wanted more
    try:
        async with aclosing(parts):
            async for part in parts:
                yield part
        outcome = "ok"
    except GenerationError as error:
        outcome = error.reason
        raise
    finally:
        counters.count_llm_call(outcome)


def open_writer(settings: Settings) -> Writer:
    """Make what the settings name; nothing is sent yet."""
    model = Model(
        settings.llm_base_url,
        settings.llm_model,
        api_key=settings.llm_api_key.get_secret_value(),
        concurrency=settings.llm_concurrency,
    )
    patience = Patience(
        settings.llm_first_token_seconds, settings.llm_gap_seconds, settings.llm_total_seconds
    )
    return Writer(
        model,
        patience,
        max_tokens=settings.llm_max_tokens,
        mark=settings.llm_unsupported == "mark",
        rewrites=settings.llm_rewrite,
    )
