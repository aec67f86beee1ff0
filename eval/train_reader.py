"""Trains the reader: `python -m eval.train_reader --data DIR … --work DIR --out FILE`.

Each set takes part with the split that is named. The bundled questions never do: they are what the
answers are measured by. A run that was cut goes on where its last checkpoint is. On two cores it
takes about an hour for 2,500 questions; a GPU is used where torch finds one.
"""

import argparse
import hashlib
import json
import os
import random
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from bot.runtime import Runtime
from bot.settings import Settings
from eval.indexing import apart, bot_over
from eval.reader.examples import Item, items
from eval.session import Wish, question_set

_ITEMS = TypeAdapter(list[Item])
_LICENCES = {
    "cmrc_trial": "CMRC 2018 trial (CC BY-SA 4.0)",
    "drcd_dev": "DRCD dev (CC BY-SA 3.0)",
    "lecoqa_train": "LeCoQA train (MIT)",
    "unanswerable_kdconv": "KdConv travel (Apache-2.0)",
}
_HELD_OUT = 12
"""One article in so many is left out of the training to draw the curve."""
_CALIBRATED = 100
_SHOWN = 60


def main(argv: Sequence[str] | None = None) -> int:
    """Collect, train, measure, export."""
    parser = argparse.ArgumentParser(prog="python -m eval.train_reader", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--split", choices=("train", "tune", "test", "all"), default="train")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints, curve, examples")
    parser.add_argument("--out", type=Path, default=Path("index/weights/reader.safetensors"))
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1.5e-4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--from", dest="start", type=Path, help="checkpoint to begin with")
    options = parser.parse_args(argv)
    options.work.mkdir(parents=True, exist_ok=True)
    found = collected(options.data, options.work / "items.json")
    command = "python -m eval.train_reader " + shlex.join(
        argv if argv is not None else sys.argv[1:]
    )
    _train(options, found, command)
    return 0


def collected(data: Sequence[Path], kept: Path) -> dict[str, list[Item]]:
    """Return the items of all sets by split, from the file if they are kept there."""
    if kept.exists():
        every = _ITEMS.validate_json(kept.read_bytes())
    else:
        runtime = Runtime.open(apart(Settings()), threads=os.cpu_count() or 1)
        every = []
        for folder in data:
            questions = question_set(Wish(folder))
            every += items(bot_over(runtime, questions), questions)
            sys.stderr.write(f"{questions.name}: {len(every)} questions so far\n")
        runtime.close()
        kept.write_bytes(_ITEMS.dump_json(every))
    return {split: [i for i in every if i.split == split] for split in ("train", "tune", "test")}


def _train(options: argparse.Namespace, found: Mapping[str, Sequence[Item]], command: str) -> None:
    import torch  # noqa: PLC0415  # seconds to import, after the options are right
    from tokenizers import Tokenizer  # noqa: PLC0415

    from eval.plots import training_plot  # noqa: PLC0415
    from eval.reader.export import export  # noqa: PLC0415
    from eval.reader.network import NetworkReader, open_network  # noqa: PLC0415
    from eval.reader.score import score  # noqa: PLC0415
    from eval.reader.train import CURVE, Checkpoint, Plan, train  # noqa: PLC0415
    from index.model import TOKENIZER, model_folder, read_model_manifest  # noqa: PLC0415
    from index.pair import pair  # noqa: PLC0415
    from index.trained import Card  # noqa: PLC0415

    torch.set_num_threads(options.threads)
    folder = model_folder(Settings().cache)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    network = open_network(folder, options.layers)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    if options.start:
        kept = torch.load(options.start, weights_only=True, map_location="cpu")
        network.load_state_dict(kept["network"])
    everything = [item for part in found.values() for item in part]
    chosen = everything if options.split == "all" else found[options.split]
    learnt = [item for item in chosen if not held_out(item)]
    chance = random.Random(options.seed)  # noqa: S311  # no secret
    shown = _drawn([item for item in chosen if held_out(item) and item.answering], _SHOWN, chance)
    sys.stderr.write(f"{len(learnt)} questions to learn from\n")

    def told(row: Checkpoint) -> Mapping[str, float]:
        now = asdict(score(NetworkReader(network, tokenizer), shown)) if shown else {}
        sys.stderr.write(f"{row.step}/{row.steps} loss {row.loss:.3f} {now}\n")
        return now

    plan = Plan(epochs=options.epochs, rate=options.rate, seed=options.seed)
    train(network, tokenizer, learnt, plan, options.work, told)
    card = Card(
        format=1,
        base=read_model_manifest(folder).source["sha256"],
        layers=options.layers,
        data=tuple(_LICENCES.get(name, name) for name in sorted({i.set for i in chosen})),
        licence="CC BY-SA 4.0",
        command=command,
        seed=options.seed,
    )
    sample = _drawn([item for item in learnt if item.answering], _CALIBRATED, chance)
    pairs = [
        pair(tokenizer, item.question, target.path, target.text)
        for item in sample
        for target in (item.answering[0], *item.others[:1])
    ]
    export(network, pairs, card, options.out)
    rows = [json.loads(line) for line in (options.work / CURVE).read_text("utf-8").splitlines()]
    (options.work / "curve.svg").write_text(training_plot(rows), encoding="utf-8")


def _drawn(found: Sequence[Item], count: int, chance: random.Random) -> list[Item]:
    return chance.sample(found, min(count, len(found)))


def held_out(item: Item) -> bool:
    """Whether an item is kept out of the training, by its article, to draw the curve."""
    article = f"{item.set} {item.article}"
    return hashlib.sha256(article.encode()).digest()[0] % _HELD_OUT == 0


if __name__ == "__main__":
    sys.exit(main())
