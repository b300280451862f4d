"""House rules that a machine can hold: the README's tree, a start without torch, sorted public names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import headstart

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "headstart"


def _tree() -> dict[str, str]:
    """The files of the README's tree by path, with their purpose."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme[readme.index("src/headstart/\n") :].split("```")[0]
    found, folder = {}, ""
    for indent, name, purpose in re.findall(r"^( +)(\S+) +(.*)$", block, re.MULTILINE):
        if name.endswith("/"):
            folder = name
        else:
            found[name if len(indent) == 2 else folder + name] = purpose
    return found


def test_the_readme_names_every_file_once_with_its_purpose() -> None:
    files = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*")
        if path.suffix in (".py", ".yaml") and path.name != "__init__.py"
    }
    tree = _tree()
    assert set(tree) == files
    assert all(tree.values())


def test_public_names_are_sorted_and_there() -> None:
    assert headstart.__all__ == sorted(headstart.__all__)
    assert all(getattr(headstart, name) is not None for name in headstart.__all__)


@pytest.mark.parametrize(
    "module",
    [
        "headstart",
        "headstart.cli",
        "headstart.report.study_summary",
        "headstart.store.runs",
        "headstart.config.load",
    ],
)
def test_what_plans_and_reports_starts_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'transformers'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_source_file_says_first_what_it_does() -> None:
    silent = [path.name for path in SOURCE.rglob("*.py") if not path.read_text("utf-8").startswith('"""')]
    assert silent == []
