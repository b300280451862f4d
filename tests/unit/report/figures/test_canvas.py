"""Figures are the same whatever matplotlib's settings and folders are, and nothing is said of these."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_DRAW = """
import hashlib
from headstart.report.figures.canvas import open_canvas
with open_canvas(60) as canvas:
    axes = canvas.add_axes(20, 20, 5, 5)
    axes.plot([0, 1], [0.2, 0.4])
    canvas.write(5, 5, "text")
for kind in ("svg", "png", "pdf"):
    print(kind, hashlib.sha256(canvas.render(kind)).hexdigest())
"""
_SETTINGS = "font.size: 30\naxes.facecolor: red\nlines.linewidth: 9\nbackend: TkAgg\nsvg.fonttype: path\n"


def _draw(**more: str) -> tuple[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MPL")}
    done = subprocess.run(
        [sys.executable, "-c", _DRAW], env=environment | more, capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


def test_a_users_settings_and_a_folder_that_cannot_be_written_change_nothing(tmp_path: Path) -> None:
    settings = tmp_path / "matplotlibrc"
    settings.write_text(_SETTINGS)
    plain = _draw()
    assert plain[0].count("\n") == 3
    nowhere = str(tmp_path / "matplotlibrc" / "below-a-file")
    assert _draw(MPLCONFIGDIR=nowhere, MATPLOTLIBRC=str(settings)) == plain
