"""Small bars for a terminal: one line a bar, its length in eighths of a character."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.data.distributions import Bar

_EIGHTHS = " ▏▎▍▌▋▊▉"
#: Characters of the longest bar.
WIDTH = 24


def draw_bar(share: float, width: int = WIDTH) -> str:
    """A bar of `share`, from 0 to 1, of `width` characters; what is above nothing shows."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def draw_histogram(bars: Sequence[Bar], width: int = WIDTH) -> list[str]:
    """A line for each bar: its range, the bar, and how many it holds."""
    most = max((bar.count for bar in bars), default=0)
    names = _format_ranges(bars)
    wide = max(map(len, names), default=0)
    return [
        f"{name:>{wide}}  {draw_bar(bar.count / most if most else 0, width)} {bar.count:,}"
        for name, bar in zip(names, bars, strict=True)
    ]


def _format_ranges(bars: Sequence[Bar]) -> list[str]:
    """Whole numbers as `4 - 29`, both in the bar; others as `0.5 to 1.5`."""
    if all(float(end).is_integer() for bar in bars for end in (bar.start, bar.stop)):
        pairs = [(int(bar.start), int(bar.stop) - 1) for bar in bars]
        return [f"{low}" if low == high else f"{low} - {high}" for low, high in pairs]
    return [f"{bar.start:.3g} to {bar.stop:.3g}" for bar in bars]
