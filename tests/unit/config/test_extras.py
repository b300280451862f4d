"""A study's extras are those of its data, methods and trackers, and each is one that the package has."""

from __future__ import annotations

import tomllib
from pathlib import Path

from headstart.config.extras import list_extras
from headstart.config.study import Study
from headstart.config.trackers import TRACKERS
from headstart.config.traits import METHODS


def test_data_methods_and_trackers_bring_their_extras() -> None:
    arms = {"a": {"method": "lora"}, "b": {"method": "peft", "peft": {"peft_type": "IA3"}}, "c": {}}
    study = Study.model_validate(
        {
            "data": {"hub": "x/y"},
            "model": "m",
            "arms": arms,
            "control": "c",
            "trackers": ["tensorboard", "mlflow"],
        }
    )
    assert list_extras(study) == ("hub", "lora", "mlflow")


def test_every_extra_is_one_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    of_methods = {traits.extra for traits in METHODS.values()}
    named = of_methods.union(traits.extra for traits in TRACKERS.values()) - {None}
    assert named <= project["project"]["optional-dependencies"].keys()
