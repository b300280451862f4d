"""Tables of a terminal: nothing is cut, no word is broken, each cell stands beside its name at any width."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, Group, RenderableType

from headstart.analysis.judgements import Agreement, Judge
from headstart.analysis.power import ContrastPower, Leaderboard, PowerAnalysis, Rank
from headstart.analysis.ranking import Ranking
from headstart.commands.compare import compare
from headstart.config.metrics import describe_metric
from headstart.config.runs import expand_runs
from headstart.data.labels.base import LabelStatistics
from headstart.data.statistics import DataStatistics
from headstart.models.accounting.breakdown import ParameterBreakdown, PartCount
from headstart.models.accounting.heads import Head
from headstart.models.accounting.sizes import ModelSize
from headstart.planning.cost import DiskCost, GroupCost, StudyCost
from headstart.planning.plan import Plan
from headstart.records import ArmCost, Parameters, Range, TierRow
from headstart.report.comparison import render_comparison
from headstart.report.judge import render_judgements
from headstart.report.params import render_params
from headstart.report.plan import render_plan
from headstart.report.power import render_power
from headstart.report.ranking import render_ranking_table
from headstart.report.study_summary import render_grid_table, render_results_table
from headstart.report.tables import Column, TerminalTable, drop_empty, make_table
from headstart.stats.variances import VarianceComponents
from judged_studies import build_judgements
from studies import findings_of, make_study

WIDTHS = (60, 80, 120)
GIB = 2**30
COST = ArmCost(arm="a", n_runs=3, parameters=124_645_632, seconds=75.0, memory_bytes=3 * GIB, together=12)
TIER = TierRow(
    arm="roberta-base-lora-r16",
    metric="accuracy",
    mean=0.8,
    may_be_best=True,
    beaten_by=(),
    tier=1,
    rank_low=1,
    rank_high=12,
)
JUDGED = build_judgements(
    arm="roberta-base-lora",
    control="roberta-base",
    prompts=4_000,
    wins=2_400,
    losses=600,
    ties=1_000,
    judges=(Judge("a-judge-of-some-name", 40, 0, 24, 6, 10, 15),),
    agreements=(Agreement("a-judge-of-some-name", "another", 40, 0.8, 0.61),),
)


def make_comparison(folder: Path) -> RenderableType:
    rows = "".join(
        f"{arm},{size},{seed},{start + size / 10_000 + seed / 100}\n"
        for arm, start in (("random", 0.3), ("roberta-base", 0.4), ("roberta-base-lora", 0.41))
        for size in (1000, 2000)
        for seed in range(3)
    )
    file = folder / "scores.csv"
    file.write_text("arm,size,seed,accuracy\n" + rows, encoding="utf-8")
    return render_comparison(compare(file))


def make_results(_: Path) -> RenderableType:
    arms = {"roberta-base": (0.8, 0.9, 0.85), "random": (0.6, 0.62, 0.6)}
    return render_results_table(findings_of(arms, sizes=["all", 2000]))


def make_grid(_: Path) -> RenderableType:
    rates = (1e-5, 3e-5, 1e-4, 3e-4)
    found = findings_of(
        {"pretrained": (0.8, 0.9), "random": (0.6, 0.6)},
        tune={"learning_rate": list(rates), "weight_decay": [0.1], "seeds": "shared"},
    )
    return render_grid_table(found)


def make_plan(_: Path) -> RenderableType:
    arms = {"roberta-base": {}, "roberta-base-lora": {"method": "lora"}, "random": {"init": "random"}}
    study = make_study(arms=arms, sizes=[100, 200, 400, 800, 1600], seeds=5, control="random")
    labels = LabelStatistics(
        {f"label-number-{i}": {"train": 3000 + i, "valid": 100, "test": 100} for i in range(14)}
    )
    data = DataStatistics(
        task="classification",
        examples={"train": 42_000, "valid": 2000, "test": 2000},
        label_names=tuple(f"label-number-{i}" for i in range(14)),
        labels=labels,
        lengths={},
    )
    memory = Range(low=10.0 * GIB, high=11.5 * GIB)
    counted = Parameters(total=124_645_632, trainable=124_645_632)
    group = GroupCost(tuple(f"{arm}/100/0" for arm in arms), None, 12, memory)
    cost = StudyCost(dict.fromkeys(arms, counted), (group,), 7 * GIB, DiskCost(GIB, 0, 50 * GIB))
    return render_plan(Plan(study, expand_runs(study), frozenset(), data, cost))


def make_power(_: Path) -> RenderableType:
    variances = VarianceComponents(seeds=0.05**2, examples=0.1, residual=0.0)
    contrast = ContrastPower("roberta-base-lora - random, size 2000", variances, 3, 2000, None)
    return render_power(PowerAnalysis("accuracy", (contrast,)))


def make_leaderboard(_: Path) -> RenderableType:
    ranks = tuple(Rank(f"a-model-of-some-name-{i}", 0.8 - i / 100, i / 100, i < 3, 1) for i in range(4))
    return render_power(Leaderboard(1000, 0.03, ranks))


def make_params(_: Path) -> RenderableType:
    formula = "D·D + D + D·F + F + F·D + D + 4·D"
    parts = (
        PartCount("embeddings", "token embedding", "weights", "V·D", "1", 1, 38_603_520, 38_603_520),
        PartCount("block", "feed-forward and norms", "weights", formula, "L", 12, 7_087_872, 85_054_464),
    )
    counted = ParameterBreakdown(parts, {"V": 50_265, "D": 768, "L": 12, "F": 3072})
    size = ModelSize(
        name="models/roberta-base",
        family="roberta",
        head=Head.MASKED_LM,
        full=counted,
        counted=counted,
        omitted=(),
        bits=32,
        quantised=0,
        weight_bytes=52_160,
    )
    return render_params(size)


def make_ranking(_: Path) -> RenderableType:
    other = TIER.model_copy(update={"arm": "words"})
    ranking = Ranking(describe_metric("accuracy"), "all", (TIER, other), (), {TIER.arm: COST})
    return render_ranking_table(ranking)


def make_judgements(_: Path) -> RenderableType:
    return render_judgements(JUDGED)


MAKERS = (
    make_comparison,
    make_results,
    make_grid,
    make_plan,
    make_power,
    make_leaderboard,
    make_params,
    make_ranking,
    make_judgements,
)


def find_tables(shown: RenderableType) -> Iterator[TerminalTable]:
    if isinstance(shown, TerminalTable):
        yield shown
    elif isinstance(shown, Group):
        for part in shown.renderables:
            yield from find_tables(part)


def show(renderable: RenderableType, width: int) -> list[str]:
    stream = StringIO()
    Console(file=stream, width=width).print(renderable)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_no_table_cuts_a_cell_or_breaks_a_word(make, width: int, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tables = list(find_tables(make(tmp_path)))
    assert tables
    for table in tables:
        lines = show(table, width)
        assert max(map(len, lines)) <= width
        assert not any("…" in line for line in lines)
        words = {word for line in lines for word in line.split()}
        cells = [column.head for column in table.columns] + [str(cell) for row in table.rows for cell in row]
        assert {word for cell in cells for word in cell.split()} <= words
        for row in table.rows:
            for column, cell in zip(table.columns[table.keys :], row[table.keys :], strict=True):
                is_beside = any(str(cell) in line and str(row[0]) in line for line in lines)
                assert column.wraps or is_beside, (row[0], cell)


def test_what_does_not_fit_stands_below_with_the_names_again() -> None:
    rows = [["arm", "train size", "first", "second"], ["lora", "all", "10.0 to 20.0", "30.0 to 40.0"]]
    assert show(make_table(rows, keys=2), 30) == [
        "      train",
        "arm    size         first",
        "─" * 25,
        "lora    all  10.0 to 20.0",
        "",
        "      train",
        "arm    size        second",
        "─" * 25,
        "lora    all  30.0 to 40.0",
    ]
    assert len(show(make_table(rows, keys=2), 60)) == 3


def test_headings_are_broken_before_cells_are() -> None:
    rows = [["arm", "95% test examples", "words"], ["a", "1.0 to 2.0", "one two three four"]]
    lines = show(make_table(rows, wraps={"words"}), 35)
    assert [line.split() for line in lines[:2]] == [["95%", "test"], ["arm", "examples", "words"]]
    assert lines[-1] == "a    1.0 to 2.0  one two three four"
    narrow = show(make_table(rows, wraps={"words"}), 27)
    assert [line.split()[-2:] for line in narrow[-2:]] == [["one", "two"], ["three", "four"]]


def test_columns_in_which_nothing_is_known_are_left_out() -> None:
    rows = [["arm", "p", "q"], ["a", "-", "1"], ["b", "-", "-"]]
    assert drop_empty(rows) == [["arm", "q"], ["a", "1"], ["b", "-"]]
    assert drop_empty(rows[:1]) == rows[:1]


def test_a_long_name_is_broken_behind_a_separator_and_no_figure_is_cut() -> None:
    name = "a-model-with-a-name-of-some-seventy-letters-as-hubs-have-them-0123456789"
    lines = show(make_table([["arm", "95% CI"], [name, "+9.4 to +11.6"]]), 60)
    assert "+9.4 to +11.6" in lines[2]
    parts = [line.split()[0] for line in lines[2:]]
    assert "".join(parts) == name
    assert all(part.endswith("-") for part in parts[:-1])


def test_cells_are_shown_as_they_are_and_titles_and_captions_around_them() -> None:
    table = TerminalTable((Column("[b]arm[/b]", "left"),), [["[red]x"]], title="[i]t", caption="[u]c")
    assert [line for line in show(table, 40) if "─" not in line] == ["[i]t", "[b]arm[/b]", "[red]x", "[u]c"]
