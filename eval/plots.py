"""The curves of a report, drawn.

Words in a drawing are English: the fonts that come with matplotlib have no Chinese.
"""

from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from bot.errors import ExtraNotInstalledError
from eval.curves import Bin, Threshold

if TYPE_CHECKING:  # an extra: only a report needs it
    from matplotlib.axes import Axes

_BLUE, _RED, _GREY = "#1f5a96", "#b3362b", "#8a8a8a"
_SIZE = (5.2, 3.6)


def reliability_plot(bins: Sequence[Bin]) -> str:
    """Return an SVG of a reliability diagram; the area of a point is the number of replies."""

    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--")
        largest = max(one.count for one in bins)
        axes.plot([one.confidence for one in bins], [one.right for one in bins], color=_BLUE)
        axes.scatter(
            [one.confidence for one in bins],
            [one.right for one in bins],
            s=[20 + 180 * one.count / largest for one in bins],
            color=_BLUE,
            alpha=0.7,
            clip_on=False,
        )
        for one in bins:
            axes.annotate(
                str(one.count), (one.confidence, one.right), (6, -10), textcoords="offset points"
            )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share right")

    return _svg(draw)


def risk_plot(curve: Sequence[tuple[float, float]]) -> str:
    """Return an SVG of a risk-coverage curve."""

    def draw(axes: "Axes") -> None:
        axes.plot([x for x, _ in curve], [y for _, y in curve], color=_BLUE, drawstyle="steps-pre")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="coverage", ylabel="risk (share wrong)")

    return _svg(draw)


def trade_off_plot(curve: Sequence[Threshold], now: tuple[float, float]) -> str:
    """Return an SVG of what is refused against what is answered; `now` is where the bot stands."""

    def draw(axes: "Axes") -> None:
        axes.plot([one.answered for one in curve], [one.refused for one in curve], color=_BLUE)
        best = max(curve, key=lambda one: one.f1)
        axes.scatter([best.answered], [best.refused], color=_GREY, zorder=3)
        axes.annotate(
            f"best F1 {best.f1:.2f} at {best.at:.3f}",
            (best.answered, best.refused),
            (-8, -14),
            textcoords="offset points",
            horizontalalignment="right",
        )
        axes.scatter([now[0]], [now[1]], color=_RED, zorder=4)
        axes.annotate("now", now, (6, 6), textcoords="offset points", color=_RED)
        axes.set(
            xlim=(0, 1.02),
            ylim=(0, 1.02),
            xlabel="answerable questions answered",
            ylabel="unanswerable questions refused",
        )

    return _svg(draw)


def stages_plot(stages: Sequence[tuple[str, float, float]]) -> str:
    """Return an SVG of the milliseconds of each stage: its name, p50 and p95."""

    def draw(axes: "Axes") -> None:
        places = list(range(len(stages)))[::-1]
        axes.barh(places, [p95 for _, _, p95 in stages], color=_GREY, alpha=0.4, label="p95")
        axes.barh(places, [p50 for _, p50, _ in stages], color=_BLUE, label="p50")
        axes.set_yticks(places, [name for name, _, _ in stages])
        axes.set_xlabel("milliseconds")
        axes.legend(frameon=False)

    return _svg(draw)


def training_plot(rows: Sequence[Mapping[str, float]]) -> str:
    """Return an SVG of loss and scores by step, from the rows of `eval.reader.train`'s curve."""

    def draw(axes: "Axes") -> None:
        steps = [row["step"] for row in rows]
        axes.plot(steps, [row["loss"] for row in rows], color=_GREY, label="loss")
        beside = axes.twinx()
        for name, color in (("f1", _BLUE), ("sentence", _RED)):
            known = [(row["step"], row[name]) for row in rows if name in row]
            beside.plot([x for x, _ in known], [y for _, y in known], color=color, label=name)
        axes.set(xlabel="step", ylabel="loss (grey)")
        beside.set(ylim=(0, 1), ylabel="character F1 (blue), best sentence (red)")

    return _svg(draw)


def _svg(draw: Callable[["Axes"], None]) -> str:
    try:
        from matplotlib import rc_context  # noqa: PLC0415  # an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise ExtraNotInstalledError(library="matplotlib", extra="eval") from error
    style = rc_context(
        {
            "svg.fonttype": "none",  # text stays text
            "svg.hashsalt": "wenqu",  # the same numbers make the same drawing
            "text.parse_math": False,
            "font.size": 9.0,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    with style:
        figure = Figure(figsize=_SIZE, layout="constrained")
        draw(figure.add_subplot())
        written = StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None}, transparent=True)
    text = written.getvalue()
    return text[text.index("<svg") :]  # without the XML declaration, which HTML does not have
