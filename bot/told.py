"""What was said before, as a caller tells it who keeps the conversation."""

from collections.abc import Sequence
from dataclasses import replace

from bot.answer import Answer, Turn
from bot.conversations import REMEMBERED
from bot.question import LONGEST
from bot.rewrite import standalone
from bot.smalltalk import small_talk
from bot.verify import without_markers
from index.library import Library

_UNLIKE_MARKERS = str.maketrans("[]", "［］")


def told(question: str, reply: str) -> Turn:
    """Return an exchange that somebody tells of: nothing is claimed, so the reply has no source.

    Of each only the first `LONGEST` characters count, which is more than we would have said.
    """
    # what is left of [[1]2] would read as a marker once more
    said = without_markers(reply[:LONGEST]).translate(_UNLIKE_MARKERS)
    return Turn(question[:LONGEST], Answer(said, "chat"))


def completed(turns: Sequence[Turn], library: Library) -> tuple[Turn, ...]:
    """Return the last turns, each with the question it stood for, as if they had been asked here.

    «那它呢？» after «那 Google 呢？» leans on the first question of the three: without this, nobody
    would know it any more.

    Args:
        turns: As told, oldest first; those that no question can lean on are left out.
        library: Knows the names that questions leave to the conversation.
    """
    generation = library.generation()
    if generation is None:
        return tuple(turns)
    index = generation.index
    done: tuple[Turn, ...] = ()
    for turn in turns[-REMEMBERED:]:
        alone = turn.question
        if not small_talk(alone):
            alone = standalone(alone, done, index.gazetteer, index.segmenter)
        done += (replace(turn, answer=replace(turn.answer, standalone_question=alone)),)
    return done
