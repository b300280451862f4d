"""Odd tables that `init` looks at: refused, or a study that loads is written, and planned or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from data_files import WHOLE, write_csv
from fuzzing import check_shown, is_unlimited, own_folder, print_as_people_see, run_to_end
from headstart.commands.init import init
from headstart.commands.plan import plan
from headstart.config.load import load_study
from headstart.report.init import render_init
from odd_values import mutated_bytes, scalars, texts, values, write_json


def begin_study(folder: Path, data: Path, model: Path, **said: Any) -> None:
    """Have a study written of the data; what is written is one that loads."""
    before = {file.name for file in folder.iterdir()}
    draft = run_to_end(init, data, folder / "study.yaml", model=str(model), folder=folder, **said)
    if draft is None:
        return
    check_shown(print_as_people_see(render_init(draft)))
    assert {file.name for file in folder.iterdir()} == before | {"study.yaml", "study.schema.json"}
    study = load_study(folder / "study.yaml")  # of `init`'s own words nothing is refused here
    run_to_end(plan, study.model_copy(update={"device": "cpu"}), folder=folder)


def names() -> st.SearchStrategy[str]:
    """Names of columns: usual ones, and any."""
    return st.one_of(st.sampled_from(("text", "label", "prompt", "response", "id", "messages")), texts())


@settings(max_examples=100 if is_unlimited() else 10)
@given(header=st.lists(names(), min_size=1, max_size=3), data=st.data())
def test_odd_tables(tiny_model: Path, header: list[str], data: st.DataObject) -> None:
    cell = st.one_of(st.sampled_from(("good", "bad", "1", "0.5", "a film that was warm")), texts())
    few = data.draw(
        st.lists(st.lists(cell, min_size=len(header), max_size=len(header)), min_size=1, max_size=5)
    )
    said = data.draw(st.fixed_dictionaries({}, optional={"text": names(), "label": names()}))
    with own_folder() as folder:
        (folder / "a.csv").write_bytes(write_csv([header, *few * data.draw(st.integers(1, 9))]))
        begin_study(folder, folder / "a.csv", tiny_model, **said)


@settings(max_examples=100 if is_unlimited() else 10)
@given(rows=st.lists(st.dictionaries(names(), st.one_of(scalars(), values())), min_size=1, max_size=4))
def test_odd_json(tiny_model: Path, rows: list[dict[str, Any]]) -> None:
    with own_folder() as folder:
        text = "\n".join(map(write_json, rows * 6))
        (folder / "a.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
        begin_study(folder, folder / "a.jsonl", tiny_model)


@settings(max_examples=100 if is_unlimited() else 10)
@given(data=st.data(), suffix=st.sampled_from(sorted(WHOLE)), name=texts())
def test_broken_bytes(tiny_model: Path, data: st.DataObject, suffix: str, name: str) -> None:
    with own_folder() as folder:
        plain = "".join(letter for letter in name if letter not in "/\\\0")[:40]
        file = folder / f"{plain}{suffix}"
        file.write_bytes(data.draw(mutated_bytes(WHOLE[suffix] * (1 if suffix == ".parquet" else 5))))
        begin_study(folder, file, tiny_model)
