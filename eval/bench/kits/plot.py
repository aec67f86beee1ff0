"""How a query slows down as the corpus grows, drawn.

Words in a drawing are English: the fonts that come with matplotlib have no Chinese.
"""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from eval.bench.kits.ledger import Job, Values
from eval.bench.kits.plan import GRAPH, LABELS
from eval.bench.kits.recipe import BARE, OURS, STACKS
from eval.bench.kits.summary import spread

_COLORS: Mapping[str, str] = {
    OURS: "#1f5a96",
    BARE: "#8a8a8a",
    "langchain": "#b3362b",
    "llamaindex": "#c98a1b",
    GRAPH: "#c98a1b",
    "haystack": "#5b7f3a",
}


def query_plot(measured: Mapping[Job, Values], sizes: Sequence[int]) -> str:
    """Return an SVG: milliseconds of a query without embedding by passages, both logarithmic."""
    from matplotlib import rc_context  # noqa: PLC0415  # an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    style: dict[Any, Any] = {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "wenqu",  # the same numbers make the same drawing
        "font.size": 9.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with rc_context(style):
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for stack in (*STACKS, GRAPH):
            found = [
                (size, value)
                for size in sizes
                if (value := spread(measured, "query", f"{size}/given", stack, "p50"))
            ]
            if not found:
                continue
            axes.errorbar(
                [size for size, _ in found],
                [value.median for _, value in found],
                [
                    [value.median - value.low for _, value in found],
                    [value.high - value.median for _, value in found],
                ],
                color=_COLORS[stack],
                marker="x" if stack == GRAPH else "o",
                markersize=4,
                label=LABELS[stack],
            )
        axes.set(xscale="log", yscale="log", xlabel="passages", ylabel="milliseconds (p50)")
        axes.legend(frameon=False)
        written = StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None}, transparent=True)
    text = written.getvalue()
    return text[text.index("<svg") :]
