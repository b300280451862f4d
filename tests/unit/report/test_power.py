"""What `headstart power` shows, of analyses made by hand."""

from __future__ import annotations

from pathlib import Path

from headstart.analysis.power import ContrastPower, Leaderboard, PowerAnalysis, Rank
from headstart.report.power import render_power
from headstart.stats.power import VarianceComponents, detectable_difference, find_required_seeds
from studies import rendered_lines

OF_EXAMPLES = VarianceComponents(seeds=1e-6, examples=0.2, residual=0.0)
OF_SEEDS = VarianceComponents(seeds=0.05**2, examples=0.1, residual=0.0)


def shown(variances: VarianceComponents, difference: float | None = None, **changes: int) -> list[str]:
    sizes = {"n_seeds": 3, "test_examples": 2000} | changes
    contrast = ContrastPower("[a] - b", variances, difference=difference, **sizes)
    return rendered_lines(render_power(PowerAnalysis("accuracy", (contrast,))))


def test_the_table_holds_what_is_detectable_by_seeds() -> None:
    lines = shown(OF_SEEDS)
    assert "smallest difference shown four times in five, points" in lines
    assert "contrast test examples 2 seeds 3 seeds 5 seeds 10 seeds 20 seeds" in lines
    figures = (f"{100 * detectable_difference(OF_SEEDS, n, 2000):.1f}" for n in (2, 3, 5, 10, 20))
    assert f"[a] - b 2,000 {' '.join(figures)}" in lines


def test_the_limiting_factor_is_named() -> None:
    assert "test examples are the limiting factor: more seeds help little" in shown(OF_EXAMPLES)
    assert "seeds are the limiting factor: more test examples help little" in shown(OF_SEEDS)


def test_without_a_difference_nothing_is_said_to_be_required() -> None:
    assert not any("enough" in line for line in shown(OF_SEEDS))


def test_what_a_difference_requires_is_counted() -> None:
    lines = shown(OF_SEEDS, 0.1)
    needed = find_required_seeds(0.1, OF_SEEDS, 2000)
    assert needed is not None
    assert f"with these test examples: {needed} seeds are enough" in lines
    assert any(line.startswith("10.0 points would be shown ") for line in lines)


def test_what_no_number_reaches_is_said() -> None:
    assert "with these test examples: no number of seeds is enough" in shown(
        OF_EXAMPLES, 0.02, test_examples=200
    )
    assert "with these seeds: no number of test examples is enough" in shown(OF_SEEDS, 0.02)


def test_a_leaderboard_says_which_ranks_are_noise(tmp_path: Path) -> None:
    ranks = (Rank("[x]", 0.52, 0.0, True), Rank("y", 0.5, 0.02, True), Rank("z", 0.4, 0.12, False))
    lines = rendered_lines(render_power(Leaderboard(1319, 0.038, ranks)))
    assert "result accuracy behind the first could be noise" in lines
    assert [line for line in lines if line[:1] in ("[", "y", "z")] == [
        "[x] 52.0 - -",
        "y 50.0 2.0 yes",
        "z 40.0 12.0 no",
    ]
    assert "On 1,319 test examples a difference of two single results below 3.8 points" in " ".join(lines)
