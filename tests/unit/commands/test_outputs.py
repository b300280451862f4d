"""Nothing that exists is written over without a word; with it, only files and models are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.cli import main
from headstart.commands.outputs import check_output_file, check_output_folder
from headstart.errors import OutputError

MESSAGE = "out: already exists\n  fix: --force to overwrite, or another name"


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "out"
    check_output_file(file, force=False)
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError) as error:
        check_output_file(file, force=False)
    assert str(error.value) == f"{tmp_path}/{MESSAGE}"
    check_output_file(file, force=True)


def test_a_link_to_nothing_exists_too(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="already exists"):
        check_output_file(tmp_path / "out", force=False)
    with pytest.raises(OutputError, match="already exists"):
        check_output_folder(tmp_path / "out", force=False)


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_where_a_file_is_to_be(tmp_path: Path, force: bool) -> None:
    with pytest.raises(OutputError, match="cannot be written: it is a folder"):
        check_output_file(tmp_path, force=force)


def test_a_folder_is_replaced_where_it_is_a_model_or_empty(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    check_output_folder(folder, force=False)
    folder.mkdir()
    with pytest.raises(OutputError) as error:
        check_output_folder(folder, force=False)
    assert str(error.value) == f"{tmp_path}/{MESSAGE}"
    check_output_folder(folder, force=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    check_output_folder(folder, force=True)


@pytest.mark.parametrize("entries", [["thesis.tex"], ["config.json", "thesis/"]])
def test_what_is_no_model_is_never_replaced(tmp_path: Path, entries: list[str]) -> None:
    for name in entries:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).write_text("", "utf-8")
    with pytest.raises(OutputError, match="which --force does not overwrite"):
        check_output_folder(tmp_path, force=True)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["new", "new/deeper", "../model/new"])
def test_nothing_is_put_into_the_model_that_is_read(tmp_path: Path, name: str, force: bool) -> None:
    """A study that has it would take it for a changed one."""
    model = tmp_path / "model"
    model.mkdir()
    with pytest.raises(OutputError, match="lies within the model's own folder"):
        check_output_folder(model / name, force=force, sources=(model,))
    check_output_folder(tmp_path / "model-new", force=force, sources=(model,))


def test_the_model_that_is_read_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    for source in (tmp_path, tmp_path / "model"):
        with pytest.raises(OutputError, match="is the model's own folder, or contains it"):
            check_output_folder(tmp_path, force=True, sources=(source,))


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "init": lambda folder: ["init", str(folder / "in.csv"), "-o", str(folder / "out")],
    "predict": lambda folder: [
        "predict",
        str(folder),
        str(folder / "in.csv"),
        "-o",
        str(folder / "out.csv"),
    ],
    "generate": lambda folder: [
        "generate",
        str(folder),
        "-f",
        str(folder / "in.csv"),
        "-o",
        str(folder / "out.csv"),
    ],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_writes_a_file_has_the_rule(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = COMMANDS[command](tmp_path)
    (tmp_path / "in.csv").write_text("text,label,prompt\na,b,c\nd,e,f\n", encoding="utf-8")
    Path(words[-1]).write_text("mine", encoding="utf-8")
    assert main([*words, "--quiet"]) == 2  # a slow machine says what it loads
    out, message = capfd.readouterr()
    assert (out, message) == (
        "",
        f"error: {words[-1]}: already exists\n  fix: --force to overwrite, or another name\n",
    )
    assert Path(words[-1]).read_text("utf-8") == "mine"
