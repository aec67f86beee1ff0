"""What a document says of itself: its author and its date, asked for as such."""

import re

from bot.evidence import Evidence
from bot.lexicon import lexicon
from corpus.fold import fold
from corpus.sentences import lines
from index.hit import Hit
from index.search import HybridIndex

CONFIDENCE = 0.9
"""That such a line answers such a question: it was written for it."""
_LOOKED_AT = 10
_TITLED = re.compile(r"《([^《》]{2,60})》")


def statement(question: str, index: HybridIndex) -> tuple[Hit, Evidence] | None:
    """Return the line that answers «这篇文章是谁写的？», with the passage that it opens.

    None where the question asks for nothing of the kind, where no document says it, or where
    several do and none is named.
    """
    folded = fold(question)
    own = lexicon().own_document.search(folded)
    label = next((name for name, asks in lexicon().statements.items() if asks.search(folded)), "")
    if not (own and label):
        return None
    titles = [fold(title) for title in _TITLED.findall(question)]
    found = [
        (hit, line)
        for hit in index.search(f"{''.join(titles)} {label}", _LOOKED_AT)
        for line in [_line(hit, label)]
        if line and (not titles or fold(hit.title) in titles)
    ]
    return found[0] if len({hit.passage.document_id for hit, _ in found}) == 1 else None


def _line(hit: Hit, label: str) -> Evidence | None:
    passage = hit.passage
    for span in lines(passage.text):
        if passage.text[span.start : span.end].startswith(f"{label}："):
            start, end = passage.start + span.start, passage.start + span.end
            features: dict[str, float] = {"wanted": 1.0, "subject": 1.0}
            return Evidence(passage, start, end, 0.0, features=features)
    return None
