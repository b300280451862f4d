"""Words of figures: names cut to what fits, axes with their units, sizes."""

from __future__ import annotations

import unicodedata

from headstart.config.metrics import MetricInfo, describe_metric
from headstart.config.sizes import Size
from headstart.wording import CUT, cut_text

#: Mean width of a character of the font, as a share of its size.
_CHARACTER = 0.56


def shorten(text: str, most: int) -> str:
    """At most that many characters in one line, none that XML refuses or that turns its neighbours."""
    plain = "".join(_clean(character) for character in text[: 4 * most])
    return plain if len(plain) <= most else cut_text(plain, most - len(CUT))


def _clean(character: str) -> str:
    """Controls, line ends and what sets a direction become spaces; surrogates are no text."""
    return " " if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn") else character


def measure(text: str, font_size: float = 7.0) -> float:
    """About how wide a text is, in points."""
    return len(text) * _CHARACTER * font_size


def label_axis(metric: str, *, what: str = "") -> str:
    """`test accuracy, %`, or `test loss (lower is better)`."""
    info = describe_metric(metric)
    name = f"{what} {metric}".strip()
    unit = ", %" if info.is_share else ""
    return f"{name}{unit}{' (lower is better)' if info.lower_is_better else ''}"


def format_tick(info: MetricInfo, value: float) -> str:
    """A value at an axis: shares without the sign that the axis has."""
    return f"{round(value * info.points, 6):g}"


def describe_size(size: Size) -> str:
    """`, 500 training examples`; nothing where a study has all."""
    return "" if size == "all" else f", {size:,} training examples"
