"""How much of a question a sentence repeats, in the same order."""

from corpus.fold import fold


def alike(question: str, sentence: str) -> float:
    """Return the longest common subsequence as a share of the question, 0 to 1.

    Letters, digits and Chinese characters count, folded. «谁发明了 X» and «X 由 Y 发明» share
    words; a sentence that has them in the order of the question is more likely its statement.

    The bit-parallel algorithm is Hyyrö, "Bit-Parallel LCS-length Computation Revisited", AWOCA
    2004: one step on whole integers for each character of the sentence.
    """
    wanted = _letters(question)
    if not wanted:
        return 0.0
    places: dict[str, int] = {}
    for at, letter in enumerate(wanted):
        places[letter] = places.get(letter, 0) | 1 << at
    full = (1 << len(wanted)) - 1
    state = full
    for letter in _letters(sentence):
        match = state & places.get(letter, 0)
        state = ((state + match) | (state - match)) & full
    return (len(wanted) - state.bit_count()) / len(wanted)


def _letters(text: str) -> str:
    return "".join(letter for letter in fold(text) if letter.isalnum())
