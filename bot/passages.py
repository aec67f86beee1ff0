"""A search as JSON, the same for HTTP and for the terminal."""

from bot.runtime import Runtime
from bot.wire import Json, hit_json
from index.stopwatch import Stopwatch


def find(
    runtime: Runtime, query: str, *, top_k: int, explain: bool, collection: str | None
) -> Json:
    """Return the passages found, best first.

    Args:
        runtime: Searches.
        query: Words or a question.
        top_k: How many at most.
        explain: Add what each retriever said, the terms of the query and the milliseconds.
        collection: To search; the default one if None.

    Raises:
        QuestionError: The query is empty, too long or broken.
        CollectionNotFoundError: There is no such collection.
    """
    watch = Stopwatch()
    name = runtime.known(collection)
    hits, sources = runtime.found(
        name, lambda: runtime.bot(name).search(query, top_k, watch=watch), list
    )
    there = [hit for hit in hits if hit.passage.document_id in sources.infos]
    found: Json = {
        "query": query,
        "hits": [
            hit_json(hit, rank, sources, explain=explain) for rank, hit in enumerate(there, start=1)
        ],
    }
    if explain:
        terms = dict.fromkeys(runtime.segmenter.terms(query))
        found |= {"terms": list(terms), "timings": dict(watch.timings())}
    return found
