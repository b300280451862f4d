"""Plans a study from the command line, for tests that read what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.cli import main


def plan_study(file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code, and all that was printed as one line."""
    capsys.readouterr()
    code = main(["plan", str(file)])
    return code, " ".join("".join(capsys.readouterr()).split())
