"""From a study's answers to a blind sheet, and from judges' copies of it to a contrast."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

import headstart
from headstart.analysis.details.read_judgements import read_judgements
from headstart.analysis.judgements import Judgements
from headstart.cli import main
from headstart.errors import HeadstartError
from headstart.store.judging_keys import read_judging_key
from headstart.store.runs import RunStore
from judged_studies import answer_alike, fill_sheet, prefer_good, read_rows, write_answered_study


def judge(folder: Path, *copies: Path) -> Judgements:
    return headstart.judge_read(folder / "out", copies)


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A sheet of a study in which nothing is the same."""
    write_answered_study(tmp_path / "out", prompts=30)
    headstart.judge_pairs(tmp_path / "out", tmp_path / "pairs.csv", arm="tuned")
    return tmp_path / "pairs.csv"


def test_the_sheet_is_blind(tmp_path: Path, sheet: Path) -> None:
    """No arm's name stands in it; sides and order are by chance, as many of one side as of the other."""
    text = sheet.read_text("utf-8-sig")
    assert not any(name in text for name in ("tuned", "base", "arm", "control"))
    rows = read_rows(sheet)
    assert list(rows[0]) == ["sheet", "row", "prompt", "answer_1", "answer_2", "choice"]
    assert [row["row"] for row in rows] == [str(i) for i in range(1, 31)]
    first = ["good" in row["answer_1"] for row in rows]
    assert sum(first) == 15
    assert first not in (sorted(first), sorted(first, reverse=True))
    order = [int(row["prompt"].split()[1].rstrip("?")) for row in rows]
    assert sorted(order) == list(range(30))
    assert order != sorted(order)
    assert {row["choice"] for row in rows} == {""}


def test_both_answers_of_a_row_are_of_one_prompt_and_one_seed(sheet: Path) -> None:
    seeds = set()
    for row in read_rows(sheet):
        (_, _, prompt, _, seed), (_, _, other_prompt, _, other_seed) = (
            row[name].split() for name in ("answer_1", "answer_2")
        )
        assert row["prompt"] == f"question {prompt}?"
        assert (prompt, seed) == (other_prompt, other_seed)
        seeds.add(seed)
    assert seeds == {"0", "1", "2"}


def test_the_draw_is_a_function_of_its_seed(tmp_path: Path, sheet: Path) -> None:
    again, other = tmp_path / "again.csv", tmp_path / "other.csv"
    headstart.judge_pairs(tmp_path / "out", again, arm="tuned")
    headstart.judge_pairs(tmp_path / "out", other, arm="tuned", seed=1)
    assert again.read_bytes() == sheet.read_bytes()
    assert [row["prompt"] for row in read_rows(other)] != [row["prompt"] for row in read_rows(sheet)]


def test_a_judge_who_always_prefers_an_arm(tmp_path: Path, sheet: Path) -> None:
    found = judge(tmp_path, fill_sheet(sheet, tmp_path / "anna.csv", prefer_good))
    assert (found.arm, found.control, found.prompts) == ("tuned", "base", 30)
    assert (found.wins, found.losses, found.ties, found.unjudged) == (30, 0, 0, 0)
    assert (found.win_rate, found.high, found.verdict) == (1.0, 1.0, "better")
    assert found.low == pytest.approx(0.878, abs=1e-3)  # Wilson's for 30 of 30 with Student's quantile
    assert found.p_sign == pytest.approx(2 * 0.5**30)
    (one,) = found.judges
    assert (one.name, one.judged, one.arm, one.first) == ("anna", 30, 30, 15)


def test_a_judge_who_always_prefers_the_other(tmp_path: Path, sheet: Path) -> None:
    flipped = fill_sheet(sheet, tmp_path / "b.csv", lambda row: "2" if prefer_good(row) == "1" else "1")
    found = judge(tmp_path, flipped)
    assert (found.win_rate, found.low, found.verdict) == (0.0, 0.0, "worse")


def test_a_judge_who_looks_at_the_side_alone_decides_nothing(tmp_path: Path, sheet: Path) -> None:
    found = judge(tmp_path, fill_sheet(sheet, tmp_path / "b.csv", lambda row: "1"))
    assert (found.win_rate, found.verdict, found.p_sign) == (0.5, "undecided", 1.0)
    assert found.judges[0].first == 30


def _prefer_mostly(row: Mapping[str, str]) -> str:
    """The good one on two prompts of three; else a tie or the poor one, by the prompt."""
    number = int(row["prompt"].split()[1].rstrip("?"))
    good = prefer_good(row)
    return good if number % 3 else ("tie" if number % 2 else "12".replace(good, ""))


def _tie_sometimes(row: Mapping[str, str]) -> str:
    return "tie" if int(row["prompt"].split()[1].rstrip("?")) % 4 == 1 else prefer_good(row)


def test_several_judges_are_averaged_and_their_agreement_told(tmp_path: Path, sheet: Path) -> None:
    copies = [
        fill_sheet(sheet, tmp_path / "anna.csv", prefer_good),
        fill_sheet(sheet, tmp_path / "ben.csv", _prefer_mostly),
    ]
    found = judge(tmp_path, *copies)
    # Of 30 prompts both prefer the good one on 20; on 5 Ben ties (0.75 on average), on 5 he disagrees (0.5).
    assert (found.wins, found.ties, found.losses) == (25, 5, 0)
    assert found.win_rate == pytest.approx((20 + 5 * 0.75 + 5 * 0.5) / 30)
    assert found.p_sign == pytest.approx(stats.binomtest(25, 25).pvalue)
    (agreement,) = found.agreements
    first, second = ([row["choice"] for row in read_rows(copy)] for copy in copies)
    assert agreement.share == pytest.approx(20 / 30)
    assert agreement.kappa == pytest.approx(cohen_kappa_score(first, second))
    assert agreement.kappa == pytest.approx(_kappa_by_hand(first, second))


def _kappa_by_hand(first: list[str], second: list[str]) -> float:
    """Cohen 1960: (p_o - p_e) / (1 - p_e)."""
    observed = np.mean([a == b for a, b in zip(first, second, strict=True)])
    expected = sum(first.count(c) * second.count(c) for c in ("1", "2", "tie")) / len(first) ** 2
    return float((observed - expected) / (1 - expected))


def test_judges_who_share_no_row_have_no_agreement(tmp_path: Path, sheet: Path) -> None:
    def judge_half(half: int) -> Callable[[Mapping[str, str]], str]:
        return lambda row: prefer_good(row) if int(row["row"]) % 2 == half else ""

    halves = [fill_sheet(sheet, tmp_path / f"{half}.csv", judge_half(half)) for half in (0, 1)]
    found = judge(tmp_path, *halves)
    assert (found.prompts, found.unjudged, found.agreements) == (30, 0, ())
    assert [row.unfinished for row in found.judges] == [15, 15]


def test_pairs_of_the_same_answer_are_ties_that_nobody_judges(tmp_path: Path) -> None:
    write_answered_study(tmp_path / "out", prompts=12, answer=answer_alike)
    written = headstart.judge_pairs(tmp_path / "out", tmp_path / "p.csv", arm="tuned")
    assert (written.rows, written.equal, written.seeds) == (8, 4, (0, 1, 2))
    found = judge(tmp_path, fill_sheet(tmp_path / "p.csv", tmp_path / "a.csv", prefer_good))
    assert (found.prompts, found.wins, found.ties, found.equal) == (12, 8, 4, 4)
    assert found.win_rate == pytest.approx(10 / 12)
    half = fill_sheet(
        tmp_path / "p.csv", tmp_path / "b.csv", lambda row: prefer_good(row) if int(row["row"]) < 5 else ""
    )
    found = judge(tmp_path, half)
    # Half of the rows are judged, so half of the equal pairs count: the rate does not drift to one half.
    assert (found.wins, found.ties, found.equal, found.unjudged) == (4, 2, 2, 4)
    assert found.win_rate == pytest.approx(10 / 12)


def test_groups_of_prompts_are_the_units(tmp_path: Path) -> None:
    write_answered_study(tmp_path / "out", prompts=30, groups=np.arange(30) // 5)
    headstart.judge_pairs(tmp_path / "out", tmp_path / "p.csv", arm="tuned")
    found = judge(tmp_path, fill_sheet(tmp_path / "p.csv", tmp_path / "a.csv", prefer_good))
    assert found.groups == 6
    assert found.p_sign == pytest.approx(2 * 0.5**6)
    assert found.low == pytest.approx(0.476, abs=1e-3)  # of 6 of 6, not of 30 of 30


def test_some_prompts_with_the_response_expected(tmp_path: Path, sheet: Path) -> None:
    headstart.judge_pairs(tmp_path / "out", tmp_path / "some.csv", arm="tuned", examples=5, reference=True)
    rows = read_rows(tmp_path / "some.csv")
    assert len(rows) == 5
    assert all(row["reference"] == f"answer {row['prompt'].split()[1].rstrip('?')}" for row in rows)
    assert judge(tmp_path, fill_sheet(tmp_path / "some.csv", tmp_path / "a.csv", prefer_good)).wins == 5


def test_the_key_says_what_the_sheet_hides(tmp_path: Path, sheet: Path) -> None:
    store = RunStore(tmp_path / "out")
    name = read_rows(sheet)[0]["sheet"]
    key = read_judging_key(store, name, sheet)
    assert (key.arm, key.control, key.draw, len(key.rows)) == ("tuned", "base", 0, 30)
    for row, known in zip(read_rows(sheet), key.rows, strict=True):
        assert (known.first == "arm") == ("good" in row["answer_1"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"arm": "none"}, ["--arm", "'none'", "base, tuned"]),
        ({"arm": "tuned", "control": "x"}, ["--control", "'x'"]),
        ({"arm": "base"}, ["--arm", "the control itself"]),
        ({"arm": "tuned", "size": 50}, ["--size", "50"]),
        ({"arm": "tuned", "examples": 31}, ["--examples", "1 to 30"]),
        ({"arm": "tuned", "output": "pairs.csv"}, ["pairs.csv", "already exists"]),
    ],
)
def test_what_cannot_be_drawn_is_one_message(
    tmp_path: Path, sheet: Path, options: dict[str, object], words: list[str]
) -> None:
    given = dict(options)
    output = tmp_path / str(given.pop("output", "new.csv"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(HeadstartError) as caught:
        headstart.judge_pairs(tmp_path / "out", output, **given)  # type: ignore[arg-type]
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_answers_that_are_all_the_same_are_nothing_to_judge(tmp_path: Path) -> None:
    write_answered_study(tmp_path / "out", answer=lambda arm, prompt, seed: "same")
    with pytest.raises(HeadstartError, match="same answers to all 12 prompts"):
        headstart.judge_pairs(tmp_path / "out", tmp_path / "p.csv", arm="tuned")
    assert not (tmp_path / "p.csv").exists()


def test_arms_that_answered_other_prompts_are_not_paired(tmp_path: Path) -> None:
    write_answered_study(tmp_path / "out")
    write_answered_study(tmp_path / "other", prompts=10)
    shutil.rmtree(tmp_path / "out/runs/base")
    shutil.copytree(tmp_path / "other/runs/base", tmp_path / "out/runs/base")
    with pytest.raises(HeadstartError, match="answered different prompts"):
        headstart.judge_pairs(tmp_path / "out", tmp_path / "p.csv", arm="tuned")


def test_seeds_that_one_arm_lacks_are_not_drawn(tmp_path: Path) -> None:
    write_answered_study(tmp_path / "out")
    for arm, seed in (("base", 0), ("tuned", 1)):
        shutil.rmtree(tmp_path / f"out/runs/{arm}/all/{seed}")
    assert headstart.judge_pairs(tmp_path / "out", tmp_path / "p.csv", arm="tuned").seeds == (2,)
    shutil.rmtree(tmp_path / "out/runs/base/all/2")
    with pytest.raises(HeadstartError, match="no seed in common"):
        headstart.judge_pairs(tmp_path / "out", tmp_path / "q.csv", arm="tuned")


def test_answers_that_were_deleted_are_missed(tmp_path: Path) -> None:
    store = write_answered_study(tmp_path / "out")
    for file in store.runs_folder.glob("base/*/*/predictions.parquet"):
        file.unlink()
    with pytest.raises(HeadstartError, match="no answers of base"):
        headstart.judge_pairs(tmp_path / "out", tmp_path / "p.csv", arm="tuned")


def test_answers_that_were_changed_are_not_judged(tmp_path: Path) -> None:
    store = write_answered_study(tmp_path / "out")
    file = store.get_run_folder("base/all/0") / "predictions.parquet"
    shutil.copy(store.get_run_folder("tuned/all/1") / "predictions.parquet", file)
    with pytest.raises(HeadstartError, match="is not the file that the run wrote") as caught:
        headstart.judge_pairs(tmp_path / "out", tmp_path / "p.csv", arm="tuned")
    assert caught.value.where == str(file)


def test_what_comes_back_wrong_is_one_message(tmp_path: Path, sheet: Path) -> None:
    anna = fill_sheet(sheet, tmp_path / "anna.csv", prefer_good)
    with pytest.raises(HeadstartError, match=r"anna\.csv: is given twice"):
        judge(tmp_path, anna, tmp_path / "out" / ".." / "anna.csv")
    with pytest.raises(HeadstartError, match="no row is judged"):
        judge(tmp_path, sheet)
    edited = tmp_path / "edited.csv"
    edited.write_text(anna.read_text("utf-8").replace("question 7?", "Question 7?"), "utf-8")
    with pytest.raises(HeadstartError, match=r"edited\.csv:\d+: prompt of row \d+ differs from the sheet"):
        judge(tmp_path, edited)
    longer = tmp_path / "longer.csv"
    last = anna.read_text("utf-8").splitlines()[-1]
    longer.write_text(anna.read_text("utf-8") + last.replace(",30,", ",31,", 1) + "\n", "utf-8")
    with pytest.raises(HeadstartError, match="row 31 is not in the sheet"):
        judge(tmp_path, longer)


def test_a_copy_is_said_and_changes_nothing(tmp_path: Path, sheet: Path) -> None:
    """Prompts are the units: who reads one judge's file as two has no narrower interval."""
    anna = fill_sheet(sheet, tmp_path / "anna.csv", _prefer_mostly)
    once = judge(tmp_path, anna)
    twice = judge(tmp_path, anna, Path(shutil.copy(anna, tmp_path / "copy.csv")))
    assert (twice.win_rate, twice.low, twice.high) == (once.win_rate, once.low, once.high)
    assert twice.agreements[0].kappa == 1.0
    assert "byte-identical" in twice.notes[0]
    assert once.notes == ()


def test_a_sheet_of_another_study_is_refused(tmp_path: Path, sheet: Path) -> None:
    write_answered_study(tmp_path / "b" / "out", prompts=5)
    copy = fill_sheet(sheet, tmp_path / "a.csv", prefer_good)
    with pytest.raises(
        HeadstartError, match=r"does not belong to the study in(.|\n)*for which none was written"
    ):
        judge(tmp_path / "b", copy)
    headstart.judge_pairs(tmp_path / "b" / "out", tmp_path / "b.csv", arm="tuned")
    with pytest.raises(HeadstartError, match=r"expected: one of [a-z]{12}"):
        judge(tmp_path / "b", copy)
    other = fill_sheet(tmp_path / "b.csv", tmp_path / "c.csv", prefer_good)
    with pytest.raises(HeadstartError, match="files of the same sheet"):
        judge(tmp_path, copy, other)


def test_a_sheets_name_is_no_path(tmp_path: Path, sheet: Path) -> None:
    text = fill_sheet(sheet, tmp_path / "a.csv", prefer_good).read_text("utf-8")
    name = read_rows(sheet)[0]["sheet"]
    (tmp_path / "a.csv").write_text(text.replace(name, "../looks"), "utf-8")
    with pytest.raises(HeadstartError, match="does not belong to the study"):
        judge(tmp_path, tmp_path / "a.csv")


def test_the_command_line_writes_and_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_answered_study(tmp_path / "out", answer=answer_alike, prompts=30)
    out, pairs = str(tmp_path / "out"), str(tmp_path / "pairs.csv")
    assert main(["judge", out, "--arm", "tuned", "--control", "base", "--seed", "3", "-o", pairs]) == 0
    said = capsys.readouterr().out
    assert "20 rows to judge" in said
    assert "one seed drawn from 0, 1, 2" in said
    assert "10 pairs of identical answers" in said
    copies = [
        str(fill_sheet(Path(pairs), tmp_path / f"{name}.csv", choose))
        for name, choose in (("anna", prefer_good), ("ben", _tie_sometimes))
    ]
    assert main(["judge", out, "--read", copies[0], "--read", copies[1]]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "tuned beats base: its answer is preferred on 78.3%" in said
    assert "of 30 prompts, ties counting half" in said
    assert "anna, ben 20 70.0%" in said
    assert "not for other seeds" in said
    assert main(["judge", out, "--read", copies[0], "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["schema_version"], values["verdict"], values["wins"]) == (2, "better", 20)
    assert values["win_rate"] == pytest.approx(25 / 30)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "--arm ARM with -o FILE"),
        (["--arm", "tuned"], "--arm ARM with -o FILE"),
        (["--read", "x.csv", "--arm", "tuned"], "--arm: tuned, but a sheet is read"),
        (["--read", "nowhere.csv"], "nowhere.csv: cannot be read"),
        (["--arm", "tuned", "-o", "x.csv", "--size", "1k"], "--size"),
    ],
)
def test_mistakes_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    write_answered_study(tmp_path / "out")
    assert main(["judge", str(tmp_path / "out"), *words]) == 2
    assert expected in capsys.readouterr().err


def test_a_folder_without_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(tmp_path), "--arm", "a", "-o", str(tmp_path / "p.csv")]) == 2
    assert "contains no study" in capsys.readouterr().err


def test_what_was_read_is_kept_and_stands_on_the_page(tmp_path: Path, sheet: Path) -> None:
    found = judge(tmp_path, fill_sheet(sheet, tmp_path / "anna.csv", prefer_good))
    kept = read_judgements(RunStore(tmp_path / "out"))
    assert [replace(one, source=found.source) for one in kept] == [found]
    written = headstart.write_report(tmp_path / "out")
    page = written.page.read_text(encoding="utf-8")
    assert "Judged by people" in page
    assert "tuned beats base" in page
    assert {"judgements.csv", "judges.tex"} <= set(written.tables)


def test_a_later_reading_replaces_the_former(tmp_path: Path, sheet: Path) -> None:
    for name in ("anna", "ben"):
        judge(tmp_path, fill_sheet(sheet, tmp_path / f"{name}.csv", prefer_good))
    (kept,) = read_judgements(RunStore(tmp_path / "out"))
    assert [one.name for one in kept.judges] == ["ben"]


@pytest.mark.parametrize("changed", ["judging", "judgements"])
def test_choices_that_do_not_fit_their_key_are_refused(tmp_path: Path, sheet: Path, changed: str) -> None:
    judge(tmp_path, fill_sheet(sheet, tmp_path / "anna.csv", prefer_good))
    (file,) = (tmp_path / "out" / changed).glob("*.json")
    values = json.loads(file.read_text())
    if changed == "judging":
        values["rows"][0]["first"] = {"arm": "control", "control": "arm"}[values["rows"][0]["first"]]
    else:
        values["judges"][0]["choices"]["999"] = "1"
    file.write_text(json.dumps(values))
    with pytest.raises(HeadstartError, match=r"another key|rows that the sheet had not"):
        read_judgements(RunStore(tmp_path / "out"))
