"""Comparisons and judgements as data frames and in a line."""

from __future__ import annotations

from pathlib import Path

import headstart
from judged_studies import fill_sheet, prefer_good, write_answered_study
from others_results import write_lm_eval


def test_arms_that_are_ranked_have_tiers(tmp_path: Path) -> None:
    for i in range(3):
        write_lm_eval(tmp_path / f"m{i}", [float(k % (3 + i) > 0) for k in range(40)])
    comparison = headstart.compare_items([tmp_path / f"m{i}" for i in range(3)], metric="acc")
    tiers = comparison.frame("tiers")
    assert tiers["arm"].tolist() == [row.arm for row in comparison.tiers]
    assert tiers["may_be_best"].dtype == bool
    assert repr(comparison).endswith("acc of 3 arms, 3 contrasts>")
    assert comparison.frame()["arm"].tolist() == [row.arm for row in comparison.contrasts]


def test_what_people_judged_is_one_contrast(tmp_path: Path) -> None:
    store = write_answered_study(tmp_path / "out")
    sheet = headstart.judge_pairs(store.out, tmp_path / "sheet.csv", arm="tuned")
    assert repr(sheet) == f"<JudgingSheet: {sheet.path}, {sheet.rows} rows to judge>"
    shown = "".join(str(sheet).split())  # long paths are wrapped
    assert "".join(f"headstart judge {store.out} --read {sheet.path}".split()) in shown
    files = [fill_sheet(sheet.path, tmp_path / f"{judge}.csv", prefer_good) for judge in ("anna", "ben")]
    found = headstart.judge_read(store.out, files)
    (row,) = found.frame().to_dict("records")
    assert (row["arm"], row["win_rate"], row["verdict"]) == ("tuned", found.win_rate, found.verdict)
    assert found.frame("judges")["name"].tolist() == ["anna", "ben"]
    assert found.frame("agreements")["share"].tolist() == [1.0]
    assert repr(found) == f"<Judgements: tuned against base: {found.verdict}, {found.prompts} prompts>"
    assert found._repr_html_().count("<table>") == 3
