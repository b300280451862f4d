"""House rules that a machine can hold: README's tree, lists of layers, starts without torch, public names."""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import headstart
from headstart.cli import app

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "headstart"
UNIT_TESTS = ROOT / "tests" / "unit"
#: Where purposes begin in README's tree.
COLUMN = 24


def read_purpose(path: Path) -> str:
    """The first line of a module, or of a study file, without its full stop."""
    first, _, _ = path.read_text(encoding="utf-8").partition("\n")
    return first.removeprefix('"""').removeprefix("# ").removesuffix('"""').removesuffix(".")


def draw_tree(folder: Path = SOURCE, indent: str = "  ") -> Iterator[str]:
    """A line for each file below `folder`, then for each folder of modules its purpose and its own lines."""
    for file in sorted(folder.iterdir()):
        if file.suffix in (".py", ".yaml") and file.name != "__init__.py":
            yield f"{indent}{file.name} ".ljust(COLUMN) + read_purpose(file)
    for child in sorted(folder.iterdir()):
        if (child / "__init__.py").is_file():
            yield f"{indent}{child.name}/ ".ljust(COLUMN) + read_purpose(child / "__init__.py")
            yield from draw_tree(child, indent + "  ")


def write_layers() -> str:
    """The layers of `pyproject.toml` from top to bottom, as README and CONTRIBUTING name them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    names = [", ".join(re.findall(r"\w+", re.sub(r"\(\w+\)", "", layer))) for layer in layers]
    return " > ".join(name for name in names if name != "__main__")


def list_blocks(document: str) -> list[str]:
    """The fenced blocks of a document at the root."""
    return (ROOT / document).read_text(encoding="utf-8").split("```")[1::2]


def test_the_readmes_tree_is_that_of_the_first_lines() -> None:
    tree = "\n".join(["src/headstart/", *draw_tree()])
    blocks = [block.strip() for block in list_blocks("README.md")]
    assert tree in blocks, f"README.md: the tree is to be\n\n{tree}\n"


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_layers_are_listed_as_import_linter_holds_them(document: str) -> None:
    layers = write_layers()
    blocks = [" ".join(block.split()) for block in list_blocks(document)]
    assert layers in blocks, f"{document}: the layers are to be\n\n{layers}\n"


def test_a_layer_is_a_module_of_the_package() -> None:
    for name in re.findall(r"\w+", write_layers()):
        assert (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").is_file()


def test_public_names_are_sorted_and_there() -> None:
    assert headstart.__all__ == sorted(headstart.__all__)
    assert all(getattr(headstart, name) is not None for name in headstart.__all__)


@pytest.mark.parametrize(
    "module",
    [
        "headstart",
        "headstart.cli",
        "headstart.commands.demo",
        "headstart.commands.init",
        "headstart.commands.schema",
        "headstart.config.load",
        "headstart.models.accounting.sizes",
        "headstart.events",
        "headstart.planning.plan",
        "headstart.report.params",
        "headstart.report.plan",
        "headstart.report.study_summary",
        "headstart.store.runs",
    ],
)
def test_what_plans_and_reports_starts_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'transformers'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_says_in_one_sentence_what_it_does(path: Path) -> None:
    first, _, _ = path.read_text(encoding="utf-8").partition("\n")
    assert re.fullmatch(r'"""\S.*\.("""(  # .*)?)?', first)


def test_checkpoints_come_through_one_door() -> None:
    """Elsewhere the library could ask on the terminal whether to run a checkpoint's own code."""
    asking = re.compile(r"(?<!PeftModel)(?<!GenerationConfig)\.(from_pretrained|from_config)\(")
    files = [path for path in SOURCE.rglob("*.py") if asking.search(path.read_text("utf-8"))]
    assert [path.relative_to(SOURCE).as_posix() for path in files] == ["models/library.py"]


def test_a_unit_test_stands_at_the_path_of_what_it_tests() -> None:
    paths = [path.relative_to(UNIT_TESTS) for path in UNIT_TESTS.rglob("test_*.py")]
    modules = {path: SOURCE / path.parent / path.name.removeprefix("test_") for path in paths}
    lost = {str(path) for path, module in modules.items() if not module.is_file()}
    assert lost - {"engine/test_update.py"} == set()


@pytest.mark.parametrize("document", ["AGENTS.md", "CONTRIBUTING.md", "README.md"])
def test_links_between_documents_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", text)
    assert links
    assert [link for link in links if link and not (ROOT / link).exists()] == []


COMMANDS = [one.name or one.callback.__name__ for one in app.registered_commands if one.callback]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_file_and_a_test_named_like_it(command: str) -> None:
    name = f"{command}_" if keyword.iskeyword(command) else command
    assert (SOURCE / "commands" / f"{name}.py").is_file()
    assert (UNIT_TESTS / "commands" / f"test_{name}.py").is_file()
