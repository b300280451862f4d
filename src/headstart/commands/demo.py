"""Reads the study of `headstart demo`, which ships inside the package; running it is the command `run`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files

from headstart.config.load import load_study
from headstart.config.study import Study


def load_demo(overrides: Sequence[str] = ()) -> Study:
    """The demo's study, with what these `key=value` words set. Its output goes to `./headstart-demo`.

    Raises:
        StudyError: a word sets nothing that a study has.
    """
    # A study file's own `out` is relative to the file, and this file lies inside the package: one that comes
    # from the command line is relative to the present folder.
    out = [] if any(word.startswith("out=") for word in overrides) else ["out=headstart-demo"]
    with as_file(files("headstart.config") / "demo.yaml") as file:
        return load_study(file, [*out, *overrides])
