"""Partial starts in study files: what is read, what is written back, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from headstart.config.arm_settings import get_checkpoint, is_pretrained
from headstart.config.load import dump_study, load_study, outline_study
from headstart.config.partial_start import PartialStart
from headstart.config.runs import expand_runs
from headstart.errors import StudyError

BASE: dict[str, Any] = {"data": {"path": "a.csv"}, "model": "m"}


def _load(init: Any, *overrides: str, **arm: Any) -> Any:
    arms = {"part": {"init": init, **arm}, "random": {"init": "random"}}
    return load_study(BASE | {"arms": arms}, overrides)


@pytest.mark.parametrize(
    ("init", "shown", "written"),
    [
        ({"keep": "embeddings"}, "embeddings", "{keep: embeddings}"),
        ({"keep": ["norms"]}, "norms", "{keep: norms}"),
        ({"keep": "layers"}, "all layers", "{keep: layers}"),
        ({"keep": "1 layer"}, "1 layer", "{keep: 1 layer}"),
        ({"keep": "first 3 layers"}, "3 layers", "{keep: 3 layers}"),
        (
            {"keep": ["embeddings", "3 layers", "norms"]},
            "embeddings, 3 layers and norms",
            "{keep: [embeddings, 3 layers, norms]}",
        ),
        ({"shuffle": "matrices"}, "shuffled matrices", "{shuffle: matrices}"),
        ({"embeddings": "svd"}, "SVD embeddings", "{embeddings: svd}"),
    ],
)
def test_a_start_is_read_shown_and_written_back(init: Any, shown: str, written: str) -> None:
    study = _load(init)
    start = study.arms["part"].init
    assert (str(start), start.format_value()) == (shown, written)
    yaml = YAML(typ="safe")
    assert PartialStart.model_validate(yaml.load(written)) == start
    for dump in (dump_study, outline_study):
        assert load_study(yaml.load(dump(study))).arms["part"].init == start
    assert get_checkpoint(study, study.arms["part"]) == "m"
    assert not is_pretrained(study.arms["part"])
    assert study.control_arm == "random"
    (run,) = [run for run in expand_runs(study) if (run.arm, run.seed) == ("part", 0)]
    assert (run.pretrained, run.start, run.describe_start()) == (False, start, written)


def test_overrides_write_a_start() -> None:
    assert str(_load("pretrained", "arms.part.init.keep=norms").arms["part"].init) == "norms"
    assert str(_load("random", "arms.part.init={keep: [embeddings, 2 layers]}").arms["part"].init) == (
        "embeddings and 2 layers"
    )
    assert _load({"keep": "norms"}, "arms.part.init=pretrained").arms["part"].init == "pretrained"


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ({"keep": "fish"}, "arms.part.init.keep.0: embeddings, norms, layers, or so many layers"),
        ({"keep": "0 layers"}, "so many layers (3 layers) expected, got '0 layers'"),
        ({"kept": "norms"}, "arms.part.init.kept: unknown key; did you mean 'arms.part.init.keep'?"),
        ({}, "arms.part.init: one of keep, shuffle and embeddings expected"),
        ({"keep": "norms", "shuffle": "matrices"}, "one of keep, shuffle and embeddings expected"),
        ({"keep": ["layers", "2 layers"]}, "layers once expected, got layers and 2 layers"),
        ({"keep": ["norms", "norms"]}, "each part once expected"),
        ({"keep": []}, "one of keep, shuffle and embeddings expected"),
        ({"embeddings": "word2vec"}, "arms.part.init.embeddings: input should be 'svd'"),
        ({"shuffle": True}, "arms.part.init.shuffle: input should be 'matrices'"),
        ({"keep": 3}, "so many layers (3 layers) expected, got 3; did you mean '3 layers'?"),
        ({"keep": ["embeddings", 2]}, "arms.part.init.keep.1: embeddings, norms, layers, or so many layers"),
        ({"keep": {"layers": 2}}, "or so many layers (3 layers) expected, got {'layers': 2}"),
        ({"keep": None}, "or so many layers (3 layers) expected, got None"),
        ({"keep": "embedings"}, "got 'embedings'; did you mean 'embeddings'?"),
        (
            ["keep"],
            "arms.part.init: a name or a section expected, such as {keep: [embeddings]}, got ['keep']",
        ),
        ("svd", "arms.part.init: no start is called 'svd'; did you mean {embeddings: svd}?"),
        ("shuffle", "did you mean {shuffle: matrices}?"),
        ("2 layers", "did you mean {keep: 2 layers}?"),
        ("Adapted", "no start is called 'Adapted'; did you mean adapted?"),
    ],
)
def test_what_is_no_start_is_one_message(init: Any, words: str) -> None:
    with pytest.raises(StudyError) as caught:
        _load(init)
    assert words in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_folder_may_be_called_as_a_start_is_not(tmp_path: Path) -> None:
    (tmp_path / "svd").mkdir()
    file = tmp_path / "study.yaml"
    file.write_text("data: {path: a.csv}\nmodel: m\narms: {a: {init: svd}}\n", encoding="utf-8")
    assert load_study(file).arms["a"].init == str(tmp_path / "svd")


def test_a_mistake_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(
        "data: {path: a.csv}\nmodel: m\narms:\n  a:\n    init:\n      keep: legs\n", encoding="utf-8"
    )
    with pytest.raises(StudyError, match=r"study.yaml:6: arms.a.init.keep"):
        load_study(file)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("qlora", "qlora reads a whole checkpoint, not {keep: norms}"),
        ("bag-of-words", "keeps no part of one"),
    ],
)
def test_methods_that_take_no_part_are_refused(method: str, words: str) -> None:
    with pytest.raises(StudyError) as caught:
        _load({"keep": "norms"}, method=method)
    assert words in str(caught.value)
