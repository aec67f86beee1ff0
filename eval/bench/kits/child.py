"""One measurement in a process of its own: `python -m eval.bench.kits.child JSON`.

Prints the values as JSON in its last line.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from bot.settings import Settings
from corpus.document import Document
from corpus.fold import simplify
from eval.bench.kits.cold import HITS
from eval.bench.kits.ledger import Job, Values
from eval.bench.kits.material import Made, Passages, made, passages_of, sentences_of
from eval.bench.kits.plan import Extent
from eval.bench.kits.recipe import BARE, OURS, Recipe, Tools, Words, open_recipe
from eval.metrics import recall, reciprocal_rank
from eval.session import Wish, question_set
from index.embed import Vectors
from index.embedders import BUILTIN, open_embedder
from index.model import model_folder

_DEEP = 40
"""Passages asked for where documents are ranked: a document stands where its best passage does."""
_WARM = 5
_FIRST = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run keeps what it needs, and finds the sets.

    Attributes:
        work: Folder of vectors and indexes.
        data: Folder of the sets; those that are not there are left out.
        extent: How much is measured.
    """

    work: Path
    data: Path
    extent: Extent

    def index(self, case: str, stack: str) -> Path:
        """Return the folder of an index."""
        return self.work / "indexes" / case / stack

    def passages(self, name: str) -> Passages:
        """Return a set by its name; `served` is the last of those that are there."""
        if name == "served":
            name = self._here()[-1]
        folder = None if name == "bundled" else self.data / name
        return passages_of(folder, documents=self.extent.documents, questions=self.extent.questions)

    def made(self, size: int) -> Made:
        """Return made-up passages, with vectors for them and for the questions."""
        asked = [simplify(one.text) for one in self.passages("served").asked]
        return made(sentences_of(self._documents()), asked, size)

    def _documents(self) -> list[Document]:
        folders = [None, *(self.data / name for name in self._here() if name != "bundled")]
        return [one for folder in folders for one in question_set(Wish(folder)).documents]

    def _here(self) -> list[str]:
        here = [name for name in self.extent.sets if (self.data / name).is_dir()]
        return here or ["bundled"]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure."""
    wish = json.loads((argv or sys.argv[1:])[0])
    extent = TypeAdapter(Extent).validate_python(wish["extent"])
    place = Place(Path(wish["work"]), Path(wish["data"]), extent)
    job = Job(**wish["job"])
    sys.stdout.write(f"\n{json.dumps(dict(MEASURES[job.measure](job, place)))}\n")


def _open(stack: str, known: Mapping[str, Vectors] | None, *, remember: bool = False) -> Recipe:
    return open_recipe(stack, Tools(_model(), Words(remember=remember), known, remember))


def _model() -> Path:
    return model_folder(Settings().cache)


def embed(job: Job, place: Place) -> Values:
    """Make the vectors of a set once, by the model as it is and as wenqu runs it."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # torch: 6 s

    found = place.passages(job.case)
    texts = {"passage": found.texts, "query": [simplify(one.text) for one in found.asked]}
    model = SentenceTransformer(str(_model()))
    started = time.perf_counter()
    vectors = {
        kind: model.encode(list(of), prompt_name=kind, normalize_embeddings=True)
        for kind, of in texts.items()
    }
    middle = time.perf_counter()
    ours = open_embedder(BUILTIN, Settings().cache, threads=os.cpu_count() or 1)
    vectors["our_passage"] = ours.encode_passages(texts["passage"])
    vectors["our_query"] = ours.encode_questions(texts["query"])
    folder = place.work / "vectors" / found.key
    folder.mkdir(parents=True, exist_ok=True)
    for kind, of in vectors.items():
        np.save(folder / f"{kind}.npy", of)
    return {"model": middle - started, "ours": time.perf_counter() - middle}


def _vectors(stack: str, found: Passages, place: Place) -> tuple[Vectors, Vectors]:
    """Return the vectors of passages and questions: those that the stack would make itself."""
    whose = "our_" if stack in {OURS, BARE} else ""
    folder = place.work / "vectors" / found.key
    return np.load(folder / f"{whose}passage.npy"), np.load(folder / f"{whose}query.npy")


def build(job: Job, place: Place) -> Values:
    """Build an index and keep it for the rounds."""
    folder = place.index(job.case, job.stack)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if job.case == "served":
        found = place.passages(job.case)
        texts, (vectors, _) = found.texts, _vectors(job.stack, found, place)
    else:
        passages = place.made(int(job.case))
        texts, vectors = passages.texts, passages.vectors
    recipe = _open(job.stack, {}, remember=True)
    started = time.perf_counter()
    recipe.build(texts, vectors, folder)
    return {"seconds": time.perf_counter() - started, "passages": len(texts)}


def query(job: Job, place: Place) -> Values:
    """Time questions one by one, over made-up passages.

    `processor` is the mean of the milliseconds that the process worked for one: a busy machine
    that has it wait leaves that as it is.
    """
    size, _, way = job.case.partition("/")
    known = place.made(0).known
    words = Words(remember=True)  # LangChain indexes them anew whenever it loads
    recipe = open_recipe(job.stack, Tools(_model(), words, known if way == "given" else None))
    recipe.load(place.index(size, job.stack))
    words.remember = False
    asked = list(known)
    for question in asked[:_WARM]:
        recipe.search(question, HITS)
    spent = list[float]()
    worked = time.process_time()
    end = time.perf_counter() + place.extent.seconds
    for question in asked[_WARM : _WARM + place.extent.queries]:
        started = time.perf_counter()
        recipe.search(question, HITS)
        spent.append((time.perf_counter() - started) * 1000)
        if time.perf_counter() > end:
            break
    processor = (time.process_time() - worked) / len(spent) * 1000
    p50, p95 = np.percentile(spent, [50, 95])
    return {"p50": float(p50), "p95": float(p95), "processor": processor, "queries": len(spent)}


def ingest(job: Job, place: Place) -> Values:
    """Return passages a second; what a small build takes as well is no part of it."""
    few, many = place.extent.ingested
    count = few if job.case == "model" else many
    passages = place.made(_FIRST + count)
    recipe = _open(job.stack, passages.known if job.case == "given" else None)

    def seconds(texts: Sequence[str], vectors: Vectors) -> float:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            recipe.build(texts, vectors if job.case == "given" else None, Path(folder))
            return time.perf_counter() - started

    seconds(passages.texts[:_FIRST], passages.vectors[:_FIRST])  # imports, allocations
    small = seconds(passages.texts[:_FIRST], passages.vectors[:_FIRST])
    large = seconds(passages.texts[_FIRST:], passages.vectors[_FIRST:])
    return {"per_second": (count - _FIRST) / max(large - small, 1e-9), "passages": count}


def quality(job: Job, place: Place) -> Values:
    """Return how well the documents of a set are found."""
    found = place.passages(job.case)
    vectors, asked = _vectors(job.stack, found, place)
    questions = [simplify(one.text) for one in found.asked]
    recipe = _open(job.stack, dict(zip(questions, asked, strict=True)))
    ranks, found5 = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        recipe.build(found.texts, vectors, Path(folder))
        recipe.load(Path(folder))
        for question, one in zip(questions, found.asked, strict=True):
            owners = [found.owners[at] for at in recipe.search(question, _DEEP)]
            documents = list(dict.fromkeys(owners))[:HITS]
            ranks.append(reciprocal_rank(documents, one.documents, k=HITS))
            found5.append(float(recall(documents, one.documents, k=5) > 0))
    size = len(questions)
    return {"mrr": sum(ranks) / size, "recall5": sum(found5) / size, "questions": size}


MEASURES: Mapping[str, Callable[[Job, Place], Values]] = {
    "embed": embed,
    "build": build,
    "query": query,
    "ingest": ingest,
    "quality": quality,
}

if __name__ == "__main__":
    main()
