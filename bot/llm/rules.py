"""The rules by which a run of clauses says what a sentence says; each can only refuse."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise

from bot.llm.statement import Clause, is_name, place
from bot.llm.wording import wording

_COMPOUND = 4
"""Characters from which a Chinese word may be one of two parts."""


def says(run: Sequence[Clause], said: Sequence[Clause], about: str) -> bool:
    """Whether `run`, clauses of one sentence that follow each other, says all that `said` says.

    Args:
        run: Of a document.
        said: What is claimed.
        about: Folded title and headings over `run`; they may name things, and give no numbers.
    """
    return _text(said) == _text(run) or (
        _has_all(run, said, about)
        and _keeps_subject(run, said)
        and _binds_figures(run, said, about)
        and _keeps_polarity(run, said)
        and _keeps_order(run, said)
        and _keeps_company(run, said)
    )


def keeps_limits(told: Sequence[Clause], start: int, said: Sequence[Clause]) -> bool:
    """Whether a «可能» or «如果» there is one here too.

    Args:
        told: Clauses of a sentence of a document, up to the last one that counts.
        start: Of the first one that counts; conditions may stand before it.
        said: What is claimed.
    """
    known = wording()
    claimed = {word.text for clause in said for word in clause.words}
    hedged = {word.text for clause in told[start:] for word in clause.words} & known.hedges
    limited = {word.text for clause in told for word in clause.words} & known.conditions
    return hedged <= claimed and (not limited or bool(limited & claimed))


def _words(said: Sequence[Clause]) -> list[str]:
    return [word.text for clause in said for word in clause.telling]


def _text(said: Sequence[Clause]) -> str:
    return ",".join(clause.text for clause in said)


def _found(word: str, text: str) -> bool:
    """Whether folded `text` says `word`, or one that means the same."""
    return any(place(same, text) >= 0 for same in wording().alike.get(word, (word,)))


def _has_all(run: Sequence[Clause], said: Sequence[Clause], about: str) -> bool:
    """Every number exactly; every telling word here, or over the passage."""
    there = Counter(figure.said for clause in run for figure in clause.figures)
    if not Counter(figure.said for clause in said for figure in clause.figures) <= there:
        return False
    text = _text(run)
    phrases = [phrase for clause in said for phrase in clause.phrases]
    if any(place(phrase, text) < 0 and place(phrase, about) < 0 for phrase in phrases):
        return False
    return all(
        _found(word, text) or _found(word, about) or _built(word, text) for word in _words(said)
    )


def _built(word: str, text: str) -> bool:
    """Whether a long word is put together from two that `text` has."""
    if is_name(word) or len(word) < _COMPOUND:
        return False
    halves = ((word[:cut], word[cut:]) for cut in range(2, len(word) - 1))
    return any(_found(first, text) and _found(second, text) for first, second in halves)


def _subject_at(run: Sequence[Clause], said: Sequence[Clause]) -> int:
    """Return the last clause of `run` that begins with what `said` begins with; 0 if none does."""
    lead = next((clause.lead for clause in said if clause.lead), "")
    return max((at for at, clause in enumerate(run) if clause.lead == lead), default=0)


def _keeps_subject(run: Sequence[Clause], said: Sequence[Clause]) -> bool:
    """What is taken from a clause is said there of the same subject.

    A later clause does not begin with a subject that is not spoken of; and where the subject of
    `said` comes up only later, the clauses before it give no more than a time or a place.
    """
    words, claimed = _words(said), _text(said)
    subject = _subject_at(run, said)
    for at, clause in enumerate(run):
        gives = [word for word in words if _found(word, clause.text)]
        if at < subject:
            later = _text(run[subject:])
            only_here = [word for word in gives if not _found(word, later)]
            if only_here and clause.words[0].text not in wording().adverbial:
                return False
        elif at and clause.lead and not _found(clause.lead, claimed):
            known = clause.lead in wording().pronouns
            if not known and (is_name(clause.lead) or (gives and len(clause.lead) > 1)):
                return False
    return True


def _binds_figures(run: Sequence[Clause], said: Sequence[Clause], about: str) -> bool:
    """A number of the same kind that is not said does not stand between what is said together."""
    return all(
        _binds(unit, run, said, about)
        for unit in {f.unit for clause in said for f in clause.figures}
    )


def _binds(unit: str, run: Sequence[Clause], said: Sequence[Clause], about: str) -> bool:
    claimed = _figures(unit, said)
    there = [figure for figure in _figures(unit, run) if figure in claimed]
    if len(set(claimed)) == len(claimed) and list(dict.fromkeys(there)) != claimed:
        return False  # «2013 年和 2014 年» is not «2014 年和 2013 年»
    holders = [
        at for at, one in enumerate(run) if not set(claimed).isdisjoint(_figures(unit, [one]))
    ]
    held = _text([run[at] for at in holders])
    first = min(f.start for f in run[holders[0]].figures if f.said in claimed)
    own_subject = any(word.start < first for word in run[holders[0]].telling)
    words = _words(said)
    for at, clause in enumerate(run):
        rivals = [f.start for f in clause.figures if f.unit == unit and f.said not in claimed]
        if not rivals:
            continue
        others = ",".join([_text([one for n, one in enumerate(run) if n != at]), about])
        only_here = [place(word, clause.text) for word in words if not _found(word, others)]
        tells = any(_found(word, held) and not _found(word, clause.text) for word in words)
        lends = at < holders[0] and not own_subject and tells
        if only_here and not (lends and max(only_here) < rivals[0]):
            return False  # it may lend its subject to what follows, and no more
    return True


def _figures(unit: str, told: Sequence[Clause]) -> list[tuple[str, str, str]]:
    return [f.said for clause in told for f in clause.figures if f.unit == unit]


def _keeps_polarity(run: Sequence[Clause], said: Sequence[Clause]) -> bool:
    """What is negated here is negated there, and the other way round."""
    told = run[_subject_at(run, said) :]
    denied = [what for clause in told for what in clause.negated if what]
    claimed = [what for clause in said for what in clause.negated if what]
    if not all(any(_same(what, other) for other in denied) for what in claimed):
        return False
    here, there = _text(said), _text(told)
    for word in {what[0] for what in denied}:
        affirmed = here.count(word) > sum(what[0] == word for what in claimed)
        if affirmed and there.count(word) <= sum(what[0] == word for what in denied):
            return False
    return True


def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _keeps_order(run: Sequence[Clause], said: Sequence[Clause]) -> bool:
    """«A 收购 B» is not «B 收购 A»: words change places only where nothing links them alike."""
    there = [word.text for clause in run for word in clause.words]
    strict = not wording().respective.isdisjoint(there)
    for clause in said:
        here = [word.text for word in clause.words]
        telling = [word.text for word in clause.telling]
        once = [word for word in telling if here.count(word) == 1 and there.count(word) == 1]
        for first, second in combinations(once, 2):
            swapped = there.index(first) > there.index(second)
            if swapped and (
                strict or _between(here, first, second) & _between(there, second, first)
            ):
                return False
    return True


def _keeps_company(run: Sequence[Clause], said: Sequence[Clause]) -> bool:
    """What is named side by side, as in «A 和 B», is named in one clause."""
    for clause in said:
        for one, other in pairwise(clause.telling):
            link = clause.text[one.end : other.start].strip()
            if link in wording().links and not any(
                _found(one.text, part.text) and _found(other.text, part.text) for part in run
            ):
                return False
    return True


def _between(sequence: Sequence[str], first: str, second: str) -> set[str]:
    inner = sequence[sequence.index(first) + 1 : sequence.index(second)]
    return set(inner) - wording().symmetrical
