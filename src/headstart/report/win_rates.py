"""How often an arm's answer to a prompt is better than its control's: a table, and what its figures are."""

from __future__ import annotations

from collections.abc import Iterator

from headstart.analysis.comparison import Comparison
from headstart.records import Contrast


def make_win_rates_table(comparison: Comparison) -> list[list[str]]:
    """A heading and a row for each contrast of language models; nothing for others."""
    rows = [row for row in comparison.contrasts if row.win_rate is not None]
    if not rows or comparison.tiers:
        return []
    head = ["prompts won", f"vs {comparison.control or 'A'}, 95%", "ties", "prompts"]
    return [head, *(_format_row(row) for row in rows)]


def list_win_rate_sizes(comparison: Comparison) -> list[str]:
    """The training-set size of each row of the table."""
    return [str(row.size) for row in comparison.contrasts if row.win_rate is not None]


def explain_win_rates(comparison: Comparison) -> Iterator[str]:
    """What the table's figures are, where it is shown."""
    if make_win_rates_table(comparison):
        yield (
            f"Prompts won: how often an answer has a better {comparison.metric} than the control's to the "
            "same prompt with the same seed, ties counting half, each over seeds and prompts with 95%."
        )


def format_rate(rate: float, low: float | None, high: float | None) -> str:
    """`71.0% (58.1 to 81.2)`; without the brackets where there is no interval."""
    share = f"{100 * rate:.1f}%"
    return share if low is None or high is None else f"{share} ({100 * low:.1f} to {100 * high:.1f})"


def _format_row(row: Contrast) -> list[str]:
    found = row.win_rate
    assert found is not None
    rate = format_rate(found.rate, found.low, found.high)
    return [row.arm, rate, f"{100 * found.ties:.1f}%", f"{row.test_examples or 0:,}"]
