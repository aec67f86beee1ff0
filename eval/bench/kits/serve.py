"""The least service around a recipe: `python -m eval.bench.kits.serve STACK MODEL INDEX`.

One endpoint, a plain `def`, which FastAPI runs in its pool of threads, as its tutorial has it.
"""

import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from eval.bench.kits.cold import HITS
from eval.bench.kits.recipe import Tools, Words, open_recipe


def main(argv: Sequence[str] | None = None) -> None:
    """Load, say where it answers, and serve until it is told to stop."""
    stack, model, index = argv or sys.argv[1:]
    recipe = open_recipe(stack, Tools(Path(model), Words()))
    recipe.load(Path(index))
    # A fast tokenizer that pads fails in two threads at once ("Already borrowed").
    alone = threading.Lock()
    app = FastAPI()

    @app.get("/api/search")
    def search(q: str) -> list[int]:
        with alone:
            return recipe.search(q, HITS)

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
