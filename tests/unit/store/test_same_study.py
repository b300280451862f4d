"""What may go into a study's folder: a new study, the same one, or more of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from headstart.config.load import dump_study
from headstart.config.study import Lora
from headstart.errors import OutputError
from headstart.files import write_text
from headstart.store.layout import StudyLayout
from headstart.store.same_study import check_same_study, read_earlier_study
from small_studies import make_study


def opened(out: Path, **changes: Any) -> StudyLayout:
    """A folder that holds this study."""
    layout = StudyLayout(out)
    write_text(layout.study_file, dump_study(make_study(out, **changes)))
    return layout


def test_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(OutputError, match="contains something other than a study"):
        check_same_study(StudyLayout(tmp_path), make_study(tmp_path))


def test_what_a_killed_first_write_left_does_not_keep_the_study_out(tmp_path: Path) -> None:
    (tmp_path / ".study.yaml-abcd1234").touch()
    check_same_study(StudyLayout(tmp_path), make_study(tmp_path))
    (tmp_path / ".other").touch()
    with pytest.raises(OutputError, match="contains something other"):
        check_same_study(StudyLayout(tmp_path), make_study(tmp_path))


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="contains something other"):
        check_same_study(StudyLayout(tmp_path / "out"), make_study(tmp_path / "out"))


def test_check_writes_nothing(tmp_path: Path) -> None:
    check_same_study(StudyLayout(tmp_path / "out"), make_study(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 5},
        {"seeds": [0, 1, 2, 9]},
        {"sizes": [10, "all"]},
        {"question": "Another?"},
        {"prompts": {"template": "human"}},
        {"workers": 2},
        {"vocabulary": "full"},
        {"adapt": {"epochs": 2}},
        {"execution": {"compile": "off", "graph": "off"}},
        {"arms": {"pretrained": {}, "random": {"init": "random"}, "more": {"init": "org/x"}}},
    ],
)
def test_study_may_grow(tmp_path: Path, changes: dict[str, Any]) -> None:
    layout = opened(tmp_path / "out")
    check_same_study(layout, make_study(tmp_path / "out", **changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seeds": [1, 2]}, "seed 0 was removed"),
        ({"model": "n"}, "model was m, is n"),
        ({"data": {"path": "/b.csv"}}, "data.path was /a.csv, is /b.csv"),
        ({"select": {"metric": "mcc"}}, "select.metric was None, is mcc"),
        ({"curves": ["valid", "test"]}, "curves was ['valid'], is ['valid', 'test']"),
    ],
)
def test_other_study_is_refused_with_what_differs(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    layout = opened(tmp_path / "out")
    with pytest.raises(OutputError) as caught:
        check_same_study(layout, make_study(tmp_path / "out", **changes))
    assert caught.value.got.endswith(f"differences: {expected}")


def test_how_arms_were_adapted_may_change_only_where_none_was(tmp_path: Path) -> None:
    layout = opened(tmp_path / "out", arms={"a": {"init": "adapted"}})
    changed = make_study(tmp_path / "out", arms={"a": {"init": "adapted"}}, adapt={"epochs": 2})
    with pytest.raises(OutputError, match=r"differences: adapt\.epochs was 10\.0, is 2\.0"):
        check_same_study(layout, changed)


def test_everything_that_differs_is_told(tmp_path: Path) -> None:
    layout = opened(tmp_path / "out")
    with pytest.raises(OutputError, match=r"model was m, is n; arms\.pretrained\.epochs was 3, is 4; "):
        check_same_study(layout, make_study(tmp_path / "out", model="n", training={"epochs": 4}))


def test_folder_may_be_moved(tmp_path: Path) -> None:
    opened(tmp_path / "out").out.rename(tmp_path / "moved")
    check_same_study(StudyLayout(tmp_path / "moved"), make_study(tmp_path / "moved"))


def test_study_that_cannot_be_read_again_is_told(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("seeds: [", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be read"):
        read_earlier_study(StudyLayout(tmp_path))


# Grids

RATES = {"learning_rate": [1e-5, 1e-4]}


@pytest.mark.parametrize(
    "changes",
    [
        {"tune": {"learning_rate": [1e-3, 1e-4, 1e-5]}},
        {"training": {"learning_rate": 0.5}},
        {"seeds": 5},
        {"tune": RATES | {"seeds": 3}},
        {"tune": None, "arms": {"pretrained": {"tune": RATES}, "random": {"init": "random", "tune": RATES}}},
    ],
)
def test_grid_may_grow(tmp_path: Path, changes: dict[str, Any]) -> None:
    check_same_study(
        opened(tmp_path / "out", tune=RATES), make_study(tmp_path / "out", **{"tune": RATES} | changes)
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (RATES, {"learning_rate": [1e-5]}, ".tune.learning_rate 0.0001 was removed"),
        (None, RATES, ".learning_rate was 3e-05, is tuned"),
        (RATES, None, ".learning_rate was tuned, is 3e-05"),
        (RATES, RATES | {"weight_decay": [0.01]}, ".weight_decay was 0.01, is tuned"),
        (RATES, RATES | {"seeds": 1}, ".tune.seeds 1001 was removed"),
        (RATES, RATES | {"seeds": "shared"}, ".tune.seeds 1000, 1001 were removed"),
        (RATES | {"seeds": "shared"}, RATES, ".tune.seeds shared was removed"),
    ],
)
def test_another_grid_is_another_study(tmp_path: Path, before: Any, after: Any, expected: str) -> None:
    layout = opened(tmp_path / "out", tune=before)
    with pytest.raises(OutputError) as caught:
        check_same_study(layout, make_study(tmp_path / "out", tune=after))
    differs = caught.value.got.partition("differences: ")[2]
    assert differs == "; ".join(f"arms.{arm}{expected}" for arm in ("pretrained", "random"))


def test_a_folder_of_before_tuning_seeds_was_chosen_by_its_own_seeds(tmp_path: Path) -> None:
    layout = opened(tmp_path / "out", tune=RATES | {"seeds": "shared"})
    text = layout.study_file.read_text("utf-8")
    layout.study_file.write_text(text.replace("  seeds: shared\n", ""), "utf-8")
    assert "shared" not in layout.study_file.read_text("utf-8")
    earlier = read_earlier_study(layout)
    assert earlier.tune is not None
    assert earlier.tune.seeds == "shared"
    check_same_study(layout, make_study(tmp_path / "out", tune=RATES | {"seeds": "shared"}))
    with pytest.raises(OutputError, match=r"tune\.seeds shared was removed"):
        check_same_study(layout, make_study(tmp_path / "out", tune=RATES))


@pytest.mark.parametrize(("lora", "is_same"), [({"r": 8}, False), ({"r": 8, "alpha": 16}, True), ({}, True)])
def test_a_folder_of_when_alpha_was_twice_the_rank_keeps_it(
    tmp_path: Path, lora: dict[str, Any], is_same: bool
) -> None:
    """Rank 16 has alpha 32 then and now."""
    arms = {"a": {"method": "lora", "lora": lora}, "words": None}
    layout = opened(tmp_path / "out", arms=arms)
    earlier = re.sub("alpha: .*", "alpha:", layout.study_file.read_text(encoding="utf-8"))
    assert earlier.count("alpha:") == 1
    write_text(layout.study_file, earlier)
    study = make_study(tmp_path / "out", arms=arms)
    if is_same:
        check_same_study(layout, study)
    else:
        with pytest.raises(OutputError, match=r"arms\.a\.lora was .*'alpha': 16\.0.*is .*'alpha': 23\.0"):
            check_same_study(layout, study)


def test_a_folder_names_the_alpha_that_was_in_force(tmp_path: Path) -> None:
    arms: dict[str, Any] = {"a": {"method": "lora", "lora": {"r": 8}}, "words": None}
    layout = opened(tmp_path / "out", arms=arms)
    assert read_earlier_study(layout).arms["a"].lora == Lora(r=8, alpha=23)
    check_same_study(layout, make_study(tmp_path / "out", arms=arms))
    arms["a"]["lora"] = {"r": 8, "alpha": 23}
    check_same_study(layout, make_study(tmp_path / "out", arms=arms))
