"""A study's folder whose records, looks, rule, study file or predictions were edited or damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import check_shown, own_folder, print_as_people_see, run_to_end
from headstart.commands.compare_sources import compare_sources
from headstart.report.comparison import render_comparison
from headstart.store.layout import StudyLayout
from headstart.store.records import read_records
from judged_studies import write_answered_study
from odd_values import edited_json

OTHERS: dict[str, dict[str, Any]] = {
    "until_decided.json": {
        "schema_version": 2,
        "metric": "exact_match",
        "width": 1.0,
        "most_seeds": 20,
        "sequence": "signs",
    },
    "results.json": {"schema_version": 2},
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two arms that ended."""
    folder = tmp_path_factory.mktemp("records") / "out"
    store = write_answered_study(folder, prompts=4, seeds=(0, 1))
    store.log_look(store.read_study())
    return folder


@given(data=st.data())
def test_damaged_folders(out: Path, data: st.DataObject) -> None:
    with own_folder() as folder:
        copy = folder / "out"
        shutil.copytree(out, copy)
        files = sorted(file for file in copy.rglob("*") if file.is_file())
        file = data.draw(st.sampled_from([*files, *(copy / name for name in OTHERS)]))
        whole = file.read_bytes() if file.exists() else json.dumps(OTHERS[file.name]).encode()
        file.write_bytes(data.draw(edited_json(whole)))
        run_to_end(lambda: list(read_records(StudyLayout(copy))), folder=folder)
        found = run_to_end(compare_sources, [str(copy)], folder=folder)
        if found is not None:
            check_shown(print_as_people_see(render_comparison(found)))
            run_to_end(found.to_dict)
