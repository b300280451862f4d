"""A canvas of a paper column's width: matplotlib without its global state or a user's settings."""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from headstart.report.figures.palette import GRID, INK, MUTED, ArmStyle
from headstart.report.figures.svg import Mark, compress

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Points, of 1/72 inch: 3.3 inches, the column of most conferences.
WIDTH: Final = 237.6
FONT_SIZE: Final = 7.0
_DPI: Final = 300
_SETTINGS: Final[dict[str, Any]] = {
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": False,
    "font.family": "DejaVu Sans",
    "font.size": FONT_SIZE,
    "path.simplify": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "headstart",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}
#: Without dates and versions, so that the same figure has the same bytes.
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclass(eq=False)
class Canvas:
    """What is drawn, `height` points high, and by the ids of its marks whose they are and what they say."""

    figure: Figure
    height: float
    marks: dict[str, Mark] = field(default_factory=dict)

    def add_axes(self, left: float, bottom: float, right: float, top: float) -> Axes:
        """Axes with these margins, in points."""
        size = ((WIDTH - left - right) / WIDTH, (self.height - bottom - top) / self.height)
        axes = self.figure.add_axes((left / WIDTH, bottom / self.height, *size))
        axes.patch.set_visible(False)
        axes.tick_params(width=0.5, length=2, labelcolor=INK, pad=2)
        axes.set_axisbelow(True)
        return axes

    def mark(self, artist: Artist, arm: str | None = None, tip: str = "") -> None:
        """Note whose `artist` is and what it says where it is pointed at."""
        name = f"mark-{len(self.marks)}"
        artist.set_gid(name)
        artist.set_clip_on(False)
        self.marks[name] = Mark(arm, tip)

    def draw_line(
        self, axes: Axes, x: Iterable[float], y: Iterable[float], style: ArmStyle, tip: str = "", **more: Any
    ) -> None:
        """A line in the arm's style; it has a gap at what is not finite."""
        options: dict[str, Any] = {"color": style.colour, "linestyle": style.line, "linewidth": 0.8} | more
        (line,) = axes.plot(_drop_infinite(x), _drop_infinite(y), **options)
        self.mark(line, style.arm, tip)

    def draw_point(
        self,
        axes: Axes,
        x: float,
        y: float,
        style: ArmStyle,
        tip: str,
        *,
        hollow: bool = False,
        size: float = 3.2,
    ) -> None:
        """A marker in the arm's style; nothing where it is nowhere."""
        if not (math.isfinite(x) and math.isfinite(y)):
            return
        (point,) = axes.plot(
            [x], [y], marker=style.marker, markersize=size, color=style.colour, linestyle="none",
            markerfacecolor="none" if hollow else style.colour, markeredgewidth=0.7,
        )  # fmt: skip
        self.mark(point, style.arm, tip)

    def write(self, x: float, y: float, text: str, arm: str | None = None, **more: Any) -> None:
        """A text at a place in points from the lower left; `arm` where it is hidden with it."""
        label = self.figure.text(x / WIDTH, y / self.height, text, **({"color": INK} | more))
        if arm is not None:
            self.mark(label, arm)

    def render(self, kind: str) -> bytes:
        """The figure as `svg`, `png` or `pdf`; the same bytes each time."""
        out = io.BytesIO()
        with use_own_settings():
            self.figure.patch.set_visible(kind != "svg")  # a page has its own paper
            self.figure.savefig(out, format=kind, dpi=_DPI if kind == "png" else 72, metadata=_METADATA[kind])
        return out.getvalue()

    def render_inline(self, name: str, title: str, description: str) -> str:
        """As `Figure.svg`."""
        return compress(self.render("svg").decode(), name, title, description, self.marks)


@contextmanager
def open_canvas(height: float) -> Iterator[Canvas]:
    """A canvas with matplotlib's settings for it; those of the process are put back at the end."""
    with use_own_settings():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        FigureCanvasAgg(figure)
        figure.patch.set_facecolor("white")
        yield Canvas(figure, height)


@contextmanager
def use_own_settings() -> Iterator[None]:
    """matplotlib's settings as figures need them, whatever a user's file says; silent about fonts."""
    with _silence_matplotlib():
        import matplotlib

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # glyphs that its font has not, deprecated settings
            with matplotlib.rc_context():
                matplotlib.rcdefaults()
                matplotlib.rcParams.update(_SETTINGS)
                yield


@contextmanager
def _silence_matplotlib() -> Iterator[None]:
    """It logs where it cannot write a cache, which nobody who runs a study can do anything about."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _drop_infinite(values: Iterable[float]) -> list[float]:
    return [value if math.isfinite(value) else math.nan for value in map(float, values)]


def draw_grid(axes: Axes, which: Literal["x", "y"] = "y") -> None:
    """Faint lines at the ticks."""
    axes.grid(visible=True, axis=which, color=GRID, linewidth=0.4)


def find_limits(values: Iterable[float], pad: float = 0.06) -> tuple[float, float]:
    """The ends of an axis that holds all finite values, with some room; of one value, room on both sides."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    room = pad * (high - low) or max(abs(high) * 0.05, 0.01)
    return low - room, high + room


def is_drawable(values: Sequence[float]) -> bool:
    """Whether any value has a place."""
    return any(math.isfinite(value) for value in values)
