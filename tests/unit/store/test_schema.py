"""A folder of another schema version is refused with one sentence: where, what, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headstart.errors import OutputError
from headstart.records import SCHEMA_VERSION, StoppingRule
from headstart.store.runs import RunStore
from headstart.store.schema import check_schema, read_schema_version
from studies import findings_of, make_record, make_study

RULE = StoppingRule(metric="accuracy", width=2.0, most_seeds=20)
FILES = ("results.json", "until_decided.json", "looks.json", "runs/pretrained/all/0/record.json")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A folder with a record, a rule and results of today's version."""
    store = RunStore(tmp_path / "out")
    store.open_study(make_study(data={"path": "/a.csv"}, out=str(store.out)), RULE)
    store.write_record(make_record("pretrained", 0, 0.8))
    store.log_look(make_study(data={"path": "/a.csv"}, out=str(store.out)))
    store.write_json("results.json", findings_of().to_dict())
    return store


def age(file: Path, version: int) -> None:
    text = file.read_text(encoding="utf-8")
    old = text.replace(f'"schema_version": {SCHEMA_VERSION}', f'"schema_version": {version}')
    assert old != text
    file.write_text(old, encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_today_has_todays_version_at_its_head(store: RunStore, name: str) -> None:
    assert read_schema_version(store.out / name) == SCHEMA_VERSION == 2
    check_schema(store.out)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("version", "age_named"), [(1, "an earlier"), (3, "a later")])
def test_another_version_is_refused_by_name(store: RunStore, name: str, version: int, age_named: str) -> None:
    age(store.out / name, version)
    with pytest.raises(OutputError) as caught:
        check_schema(store.out)
    error = caught.value
    assert error.got == f"{name} is of schema version {version}, which {age_named} Headstart wrote"
    assert (error.where, error.expected) == (str(store.out), "schema version 2")
    assert error.fix == "name another folder: out=FOLDER, or use the Headstart that it was run with"


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_read_from_such_a_folder(store: RunStore, name: str) -> None:
    age(store.out / name, 1)
    study = make_study(data={"path": "/a.csv"}, out=str(store.out))
    for use in (
        lambda: store.check_same_study(study),
        store.read_stopping_rule,
        store.read_looks,
        lambda: list(store.read_records()),
        store.read_done_records,
    ):
        with pytest.raises(OutputError, match="schema version 1"):
            use()


def test_a_record_of_version_1_in_a_grid_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a" / "all" / "0" / "learning_rate=1e-05"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps({"schema_version": 1, "setting": {}}), encoding="utf-8")
    with pytest.raises(OutputError, match=r"learning_rate=1e-05/record\.json is of schema version 1"):
        check_schema(tmp_path)


def test_a_new_folder_and_a_file_without_a_version_are_nobodys_other_version(tmp_path: Path) -> None:
    check_schema(tmp_path / "new")
    (tmp_path / "results.json").write_text("{}", encoding="utf-8")
    check_schema(tmp_path)
    assert read_schema_version(tmp_path / "results.json") is None
