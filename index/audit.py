"""Whether an index says what the stored documents say, looked at from outside."""

from collections import Counter

from corpus.document import Document
from corpus.errors import SpanError
from index.errors import DocumentNotFoundError
from index.library import Library


def audit(library: Library) -> list[str]:
    """Return what is wrong with a collection that can be opened; nothing if all is well.

    Every passage has to be where it says in its document, every document has to have as many as
    the database says, and FAISS and BM25 have to know exactly these.

    Raises:
        CorruptIndexError: It cannot be opened.
        ModelMismatchError: It was made with another model or dictionary.
    """
    generation = library.generation()
    expected = {info.id: info.passages for info in library.documents()}
    if generation is None:
        return [f"{name} is not indexed" for name in expected]
    wrong, found = list[str](), Counter[str]()
    documents: dict[str, Document] = {}
    for at in range(len(generation.rows)):
        passage = generation.rows[at].passage
        name = passage.document_id
        found[name] += 1
        try:
            document = documents.get(name) or library.document(name)
            documents = {name: document}  # rows are ordered by document: one is enough
            passage.check(document)
        except (DocumentNotFoundError, SpanError) as error:
            wrong.append(f"passage {passage.id}: {error}")
    for name in sorted({*expected, *found}):
        if found[name] != expected.get(name, 0):
            wrong.append(f"{name} has {found[name]} passages, {expected.get(name, 0)} are stored")
    index = generation.index
    counts = [len(generation.rows), len(index.dense), index.lexical.size, len(generation.bags)]
    if len(set(counts)) > 1:
        wrong.append(f"passages, vectors, BM25, bags: {counts}")
    return wrong if library.generation() is generation else audit(library)
