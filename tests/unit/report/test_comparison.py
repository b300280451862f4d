"""A comparison as tables: which columns and cells there are, and that all three formats hold the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from headstart.analysis.comparison import Comparison
from headstart.commands.compare import compare
from headstart.errors import HeadstartError
from headstart.records import Look, OutcomeRow, StoppingRule, WorthRow
from headstart.records.answers import AnswerRow, AnswerSample, WrittenAnswers
from headstart.report.comparison import render_comparison, render_comparison_latex, render_comparison_markdown
from headstart.report.comparison_tables import make_tables, name_tables
from studies import rendered_lines

LAB = """arm,seed,accuracy
random,0,62.5
random,1,64.5
random,2,63.5
pretrained,0,81.5
pretrained,1,78
pretrained,2,82.5
"""
SIZES = ("10", "20", "30")
ODD = "[red]a_b|c&d"


def compared(folder: Path, text: str = LAB) -> Comparison:
    file = folder / "scores.csv"
    file.write_text(text, encoding="utf-8")
    return compare(file)


@pytest.fixture
def lab(tmp_path: Path) -> Comparison:
    """The laboratory's numbers: 63.5 +- 0.8 and 80.7 +- 1.9 (population)."""
    return compared(tmp_path)


def test_the_laboratorys_cells(lab: Comparison) -> None:
    arms, contrasts, *_ = make_tables(lab)
    assert arms == [
        [
            "arm",
            "seeds",
            "accuracy",
            "pop. std",
            "95% CI over seeds",
            "95% CI over test examples",
            "worst",
            "best",
        ],
        ["random", "3", "63.5 ± 1.0", "0.8", "61.0 to 65.9", "-", "62.5 (seed 0)", "64.5 (seed 1)"],
        ["pretrained", "3", "80.7 ± 2.4", "1.9", "74.2 to 85.8", "-", "78.0 (seed 1)", "82.5 (seed 2)"],
    ]
    assert contrasts == [
        ["vs random", "difference, points", "95% CI", "p", "p, sign flip", "verdict"],
        ["pretrained", "+17.2", "+9.3 to +25.1", "0.011", "0.250", "better"],
    ]


def test_the_interval_over_examples_has_its_column(lab: Comparison) -> None:
    known = lab.summary[0].model_copy(update={"examples_low": 0.6, "examples_high": 0.67})
    arms, *_ = make_tables(replace(lab, summary=(known,)))
    assert arms[1][5] == "60.0 to 67.0"


def test_one_seed_has_no_deviations(tmp_path: Path) -> None:
    arms, contrasts, *_ = make_tables(compared(tmp_path, "arm,seed,mcc\nrandom,0,0.6\ntuned,0,0.7\n"))
    assert arms[1] == ["random", "1", "0.600", "-", "-", "-", "0.600 (seed 0)", "0.600 (seed 0)"]
    assert contrasts[0][1] == "difference, mcc"
    assert contrasts[1] == ["tuned", "+0.100", "-", "-", "-", "undecided"]


def test_sizes_have_a_column_of_their_own(tmp_path: Path) -> None:
    rows = "".join(
        f"{arm},{size},{seed},{start + size / 100 + seed * noise}\n"
        for arm, start, noise in (("random", 0.3, 0.01), ("tuned", 0.4, 0.02))
        for size in (10, 20, 30)
        for seed in range(3)
    )
    arms, contrasts, _, worth = make_tables(compared(tmp_path, "arm,size,seed,accuracy\n" + rows))
    assert arms[0][:3] == ["arm", "train size", "seeds"]
    assert [row[:2] for row in arms[1:]] == [[arm, size] for arm in ("random", "tuned") for size in SIZES]
    assert contrasts[0][:3] == ["vs random", "train size", "difference, points"]
    assert [row[1] for row in contrasts[1:]] == list(SIZES)
    assert worth[0] == ["label worth", "train size", "accuracy", "labels of random", "95% CI"]
    assert worth[-1][:4] == ["tuned", "30", "72.0", "over 30"]


def test_worth_in_updates_has_a_table(lab: Comparison) -> None:
    row = WorthRow(
        arm="pretrained",
        control="random",
        size="all",
        metric="accuracy",
        amount=252,
        score=0.81,
        smallest=63,
        largest=252,
        worth=None,
        worth_beyond="more than the largest",
        low=100.4,
        high=None,
        high_beyond="more than the largest",
        bootstrap_low=None,
        bootstrap_high=None,
    )
    without_epochs = row.model_copy(update={"amount": 0})
    *_, table = make_tables(replace(lab, step_worth=(row, without_epochs)))
    assert table == [
        ["worth in updates", "updates", "valid accuracy", "updates of random", "95% CI"],
        ["pretrained", "252", "81.0", "over 252", "100 to over 252"],
        ["pretrained", "-", "81.0", "over 252", "100 to over 252"],
    ]


def test_seeds_that_were_added_have_their_own_columns(lab: Comparison) -> None:
    rule = StoppingRule(metric="accuracy", width=2.0, most_seeds=20)
    ends = {"sequence_low": 0.05, "sequence_high": 0.3, "n_seeds": 9}
    contrast = lab.contrasts[0].model_copy(update=ends | {"median_difference": 0.19})
    _, contrasts, *_ = make_tables(replace(lab, contrasts=(contrast,), stopping_rule=rule))
    assert contrasts == [
        ["vs random", "median difference, points", "95% CI, anytime", "seeds", "verdict"],
        ["pretrained", "+19.0", "+5.0 to +30.0", "9", "better"],
    ]


def test_beside_an_interval_of_the_mean_stands_the_mean(lab: Comparison) -> None:
    rule = StoppingRule(metric="accuracy", width=2.0, most_seeds=20, sequence="t")
    ends = {"sequence_low": 0.05, "sequence_high": 0.3, "n_seeds": 9, "median_difference": 0.19}
    contrast = lab.contrasts[0].model_copy(update=ends)
    shown = replace(lab, contrasts=(contrast,), stopping_rule=rule)
    _, contrasts, *_ = make_tables(shown)
    assert contrasts[0][1] == "difference, points"
    assert contrasts[1][1:3] == ["+17.2", "+5.0 to +30.0"]
    for text in (render_comparison_markdown(shown), render_comparison_latex(shown)):
        assert "on the assumption that differences over seeds are normal" in text


def test_looks_before_are_named_in_the_heading_and_below(lab: Comparison) -> None:
    looks = tuple(Look(time="t", seeds=tuple(range(n)), headstart="1", margin=None) for n in (3, 5))
    contrast = lab.contrasts[0].model_copy(update={"n_looks": 3})
    shown = replace(lab, contrasts=(contrast,), earlier_looks=looks)
    _, contrasts, *_ = make_tables(shown)
    assert contrasts[0][2:4] == ["95% CI, 3 looks", "p, adjusted"]
    assert "already inspected with 3 and with 5 seeds" in " ".join(rendered_lines(render_comparison(shown)))


def test_two_studies_are_headed_as_such(lab: Comparison) -> None:
    _, contrasts, *_ = make_tables(replace(lab, control=None))
    assert contrasts[0][0] == "B vs A"


def test_a_comparison_without_contrasts_has_arms_and_one_more_run(lab: Comparison) -> None:
    heads = [rows[0][0] for rows in make_tables(replace(lab, contrasts=()))]
    assert heads == ["arm", "one more run"]


def test_a_terminal_shows_tables_and_notes(lab: Comparison) -> None:
    lines = rendered_lines(render_comparison(lab), width=80)
    assert "arm seeds accuracy std seeds worst best" in lines
    assert "random 3 63.5 ± 1.0 0.8 61.0 to 65.9 62.5 (seed 0) 64.5 (seed 1)" in lines
    assert "pretrained +17.2 +9.3 to +25.1 0.011 0.250 better" in lines
    assert "With 3 paired seeds a sign-flip test cannot go below p = 0.25" in " ".join(lines)


def test_markdown_holds_the_same_cells_and_notes(lab: Comparison) -> None:
    blocks = render_comparison_markdown(lab).split("\n\n")
    tables = list(make_tables(lab))
    for block, rows in zip(blocks[:3], tables, strict=True):
        lines = block.splitlines()
        assert [
            [cell.strip() for cell in line.strip("|").split("|")] for line in lines[:1] + lines[2:]
        ] == rows
        assert lines[1].split() == ["|", "---", "|", *["---:", "|"] * (len(rows[0]) - 1)]
    assert blocks[3].startswith("pretrained beats random by 17.2 points: 80.7% vs 63.5% accuracy")
    assert blocks[-1].startswith("One more run: ")


def test_latex_holds_the_same_cells_and_notes_as_comments(lab: Comparison) -> None:
    needs, *blocks = render_comparison_latex(lab).split("\n\n")
    assert needs == r"% Needs \usepackage{booktabs}."
    tables = list(name_tables(lab))
    for block, table in zip(blocks[:3], tables, strict=True):
        lines = block.splitlines()
        assert lines[2].startswith(r"\caption{")
        assert lines[3] == rf"\label{{tab:{table.name}}}"
        assert lines[4] == rf"\begin{{tabular}}{{l{'r' * (len(table.rows[0]) - 1)}}}"
        assert (lines[5], lines[7], lines[-3]) == (r"\toprule", r"\midrule", r"\bottomrule")
        cells = [line.removesuffix(r" \\").split(" & ") for line in (lines[6], *lines[8:-3])]
        plain = [[cell.replace(r"\%", "%").replace(r"$\pm$", "±") for cell in row] for row in cells]
        assert plain == table.rows
    assert all(block.startswith("% ") for block in blocks[3:])


def test_one_table_can_be_had_alone(lab: Comparison) -> None:
    text = render_comparison_latex(lab, "contrasts")
    assert text.count(r"\begin{table}") == 1
    assert r"\label{tab:contrasts}" in text
    assert render_comparison_markdown(lab, "arms").splitlines()[-1].startswith("| pretrained | 3 |")
    with pytest.raises(
        HeadstartError, match=r"--table: no table is called 'x'[\s\S]*one of arms, contrasts, one-run"
    ):
        render_comparison_latex(lab, "x")


def test_names_are_escaped_in_every_format(tmp_path: Path) -> None:
    text = "".join(f"{arm},{seed},{0.5 + seed / 10}\n" for arm in ("random", ODD) for seed in range(2))
    odd = compared(tmp_path, "arm,seed,accuracy\n" + text)
    assert any(line.startswith(ODD) for line in rendered_lines(render_comparison(odd)))
    assert r"| [red]a_b\|c&d | 2 |" in render_comparison_markdown(odd)
    assert r"[red]a\_b|c\&d & 2 &" in render_comparison_latex(odd)


def test_a_mark_has_its_note_in_every_format_and_beside_a_single_table(lab: Comparison) -> None:
    dead = OutcomeRow(arm="random", size="all", n_runs=3, n_failed=0, n_collapsed=3)
    marked, note = replace(lab, outcomes=(dead,)), "† collapsed: nearly one answer for all texts"
    for table in ("arms", None):
        assert sum(line.startswith(note) for line in rendered_lines(render_comparison(marked, table))) == 1
        assert render_comparison_markdown(marked, table).count(note) == 1
        assert r"of the mean. $\dagger$ collapsed: nearly" in render_comparison_latex(marked, table)
    assert not any("†" in line for line in rendered_lines(render_comparison(lab)))


def test_written_answers_are_a_table_in_every_format(lab: Comparison) -> None:
    """chrF, exact match and stopped, escaped, and once on a terminal, where samples stand below."""
    rows = (AnswerRow(arm=ODD, size="all", n_seeds=2, chrf=41.25, exact_match=0.5, stopped=1.0),)
    sample = AnswerSample(run="x/all/0", prompt="say a", reference="aaa", before="", after="aa")
    answered = replace(lab, answers=WrittenAnswers(rows=rows, samples=(sample,)))
    table = next(one for one in name_tables(answered) if one.name == "answers")
    assert table.rows == [["arm", "chrF", "exact match, %", "stopped, %"], [ODD, "41.2", "50.0", "100.0"]]
    markdown = render_comparison_markdown(answered)
    assert "| arm | chrF | exact match, % | stopped, % |" in markdown
    assert "a_b\\|c&d | 41.2 | 50.0 | 100.0 |" in markdown
    latex = render_comparison_latex(answered, "answers")
    assert r"arm & chrF & exact match, \% & stopped, \% \\" in latex
    assert r"a\_b|c\&d & 41.2 & 50.0 & 100.0 \\" in latex
    assert "Answers to test prompts: means over seeds" in latex
    lines = rendered_lines(render_comparison(answered))
    assert sum("exact match, %" in line for line in lines) == 1
    assert "before training (empty)" in lines
    alone = rendered_lines(render_comparison(answered, "answers"))
    assert any("41.2 50.0 100.0" in line for line in alone)
    assert not any("before training" in line for line in alone)
    assert "answers" not in [one.name for one in name_tables(lab)]
