"""A study of two arms that make no steps, which was run, and copies of it to be changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from headstart.cli import main


def run_baselines(study_in: Callable[..., Path], folder: Path) -> Path:
    """Run two bags of words with two seeds each; gives the study file."""
    arms = {"words": {"method": "bag-of-words"}, "other": {"method": "bag-of-words"}}
    file = study_in(folder, arms=arms, seeds=[0, 1], control="other")
    assert main(["run", str(file)]) == 0
    return file


def copy_study(file: Path, folder: Path) -> Path:
    """Copy a study's folder of results, with a study file of its own; gives that file."""
    shutil.copytree(file.parent / "out", folder / "out")
    text = file.read_text(encoding="utf-8").replace(str(file.parent / "out"), str(folder / "out"))
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return folder / "study.yaml"
