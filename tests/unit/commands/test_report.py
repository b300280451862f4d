"""`headstart report` on folders of studies: finished, unfinished, failed, without texts, as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import headstart
from headstart.cli import main
from headstart.commands.report import write_results_page
from headstart.commands.report_at_end import write_page_at_end
from headstart.errors import HeadstartError, OutputError
from headstart.store import predictions
from report_studies import HOSTILE, write_report_study


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take longer than all else, and have tests of their own."""
    monkeypatch.setattr("headstart.commands.report.draw_figures", lambda details: ())


def read_page(out: Path) -> str:
    return (out / "report" / "index.html").read_text(encoding="utf-8")


def list_sections(page: str) -> list[str]:
    return re.findall(r'<section id="study-([a-z]+)"', page)


def test_page_figures_and_tables_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write_report_study(tmp_path, seeds=2, curves=["valid"])
    assert main(["report", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema_version"] == 2
    assert told["page"] == str(out / "report" / "index.html")
    assert told["page_bytes"] == len(read_page(out).encode()) < 500_000
    for name in told["figures"]:
        for ending in (".svg", ".png", ".pdf"):
            assert (out / "report" / "figures" / f"{name}{ending}").stat().st_size > 500
    assert all((out / "report" / "tables" / name).is_file() for name in told["tables"])
    assert {"arms.csv", "contrasts.tex", "classes.md", "cost.csv"} <= set(told["tables"])


@pytest.mark.usefixtures("_undrawn")
def test_what_was_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write_report_study(tmp_path)
    assert main(["report", str(out)]) == main(["report", str(out)]) == 0  # it replaces its own
    said = capsys.readouterr().out
    assert re.fullmatch(r"(wrote \S+index\.html \(\d+ kB\), with \d+ tables beside it\n){2}", said)


@pytest.mark.usefixtures("_undrawn")
def test_predictions_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_report_study(tmp_path, seeds=2, metrics=("accuracy", "loss"))
    read: list[Path] = []
    read_file = predictions._read_file

    def count(file: Path) -> Any:
        read.append(file)
        return read_file(file)

    monkeypatch.setattr(predictions, "_read_file", count)
    headstart.write_report(out)
    assert sorted(read) == sorted(out.rglob("predictions.parquet"))
    assert len(read) == 4


@pytest.mark.usefixtures("_undrawn")
def test_an_arm_is_not_compared_where_all_runs_of_the_control_failed(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=2, failed=["random/all/0", "random/all/1"])
    headstart.write_report(out)
    page = read_page(out)
    assert "Some runs failed and are excluded (2 of 2 of random)" in page
    assert "pretrained (size all): not compared, as random has no scores of that size." in page


@pytest.mark.usefixtures("_undrawn")
def test_its_figures_are_those_of_the_study(tmp_path: Path) -> None:
    out = write_report_study(tmp_path)
    page, comparison = headstart.load(out).report().read_text(encoding="utf-8"), headstart.compare(out)
    for row in comparison.summary:
        assert f"{100 * row.mean:.1f} ±" in page
    for contrast in comparison.contrasts:
        assert f"{100 * contrast.difference:+.1f}" in page


@pytest.mark.usefixtures("_undrawn")
def test_no_texts_are_shown_where_they_are_not_to_be(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, texts=["secret words"])
    headstart.write_report(out)
    assert "secret words" in read_page(out)
    headstart.write_report(out, texts=False)
    assert "secret words" not in "".join(
        path.read_text("utf-8", "replace") for path in (out / "report").rglob("*") if path.is_file()
    )
    assert "confidently-wrong" in read_page(out)


@pytest.mark.usefixtures("_undrawn")
def test_an_unfinished_study_says_how_much_is_done(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=3, done=2)
    headstart.write_report(out)
    assert "Unfinished: 4 of 6 runs are done." in read_page(out)


@pytest.mark.usefixtures("_undrawn")
def test_failed_runs_are_named(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=3, failed=["random/all/1"])
    headstart.write_report(out)
    assert "Failed: random/all/1: loss nan" in read_page(out)
    assert "Unfinished" not in read_page(out)


@pytest.mark.usefixtures("_undrawn")
def test_a_study_without_results_has_a_page_without_their_sections(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, done=0)
    headstart.write_report(out)
    page = read_page(out)
    assert "Unfinished: 0 of 6 runs are done." in page
    assert list_sections(page) == ["settings", "repeat"]
    assert re.findall(r'<a href="#study-([a-z]+)"', page) == ["settings", "repeat"]


@pytest.mark.usefixtures("_undrawn")
def test_home_paths_and_hidden_characters_are_not_in_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    out = write_report_study(tmp_path / "work", question=HOSTILE[5])
    headstart.write_report(out)
    assert str(tmp_path) not in read_page(out)
    assert "\x1b" not in read_page(out)
    assert "\u202e" not in read_page(out)


def test_the_page_is_the_same_each_time(tmp_path: Path) -> None:
    out = write_report_study(tmp_path)
    first = write_results_page(headstart.load(out)).read_bytes()
    assert write_results_page(headstart.load(out)).read_bytes() == first


@pytest.mark.usefixtures("_undrawn")
def test_what_is_no_study_or_no_place_is_refused(tmp_path: Path) -> None:
    out = write_report_study(tmp_path)
    with pytest.raises(HeadstartError, match="no study is named"):
        headstart.write_report()
    with pytest.raises(HeadstartError, match="no such folder"):
        headstart.write_report(tmp_path / "nothing")
    with pytest.raises(OutputError):
        headstart.write_report(out, output=out)
    with pytest.raises(OutputError, match="study's own folder"):
        headstart.write_report(out, output=out, force=True)
    assert not (tmp_path / "report").exists()


@pytest.mark.usefixtures("_undrawn")
def test_only_the_page_is_written_when_a_study_ends(tmp_path: Path) -> None:
    out, said = write_report_study(tmp_path), list[str]()
    results = headstart.load(out)
    assert write_page_at_end(results, said.append) is results
    assert [path.name for path in (out / "report").iterdir()] == ["index.html"]
    assert said == []
    # A former report's other files stay.
    headstart.write_report(out)
    write_page_at_end(results, said.append)
    assert (out / "report" / "tables" / "arms.csv").is_file()
    headstart.write_report(out)  # and all of it is still a report


@pytest.mark.usefixtures("_undrawn")
def test_a_page_that_cannot_be_written_ends_no_study(tmp_path: Path) -> None:
    out, said = write_report_study(tmp_path), list[str]()
    (out / "report").write_text("mine")
    write_page_at_end(headstart.load(out), said.append)
    assert len(said) == 1
    assert said[0].startswith("the report was not written: ")
    assert (out / "report").read_text() == "mine"


@pytest.mark.usefixtures("_undrawn")
def test_a_study_that_wants_no_page_gets_none(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, report=False)
    write_page_at_end(headstart.load(out), lambda sentence: None)
    assert not (out / "report").exists()


def test_sixty_runs_are_less_than_half_a_megabyte(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=30, epochs=20, texts=["a review of some fifty words " * 10])
    page = write_results_page(headstart.load(out))
    assert 100_000 < page.stat().st_size < 500_000
