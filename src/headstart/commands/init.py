"""Looks at labelled texts and writes a commented study file for them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from headstart.config.traits import TASKS, get_task_traits
from headstart.data.guess import DataGuess, guess_data
from headstart.errors import OutputError
from headstart.files import write_text

#: Classes that a comment names.
_CLASSES_SHOWN = 6


def init(
    data: Path,
    output: Path = Path("study.yaml"),
    *,
    model: str = "asset:minilm",
    text: str | None = None,
    label: str | None = None,
) -> None:
    """Write to `output` a study of the texts in `data`: a file, a folder of parts, or of classes.

    Args:
        model: the checkpoint: a folder, a hub id, or `asset:name`.
        text: the column of texts, where the guess is wrong.
        label: the column of labels, where the guess is wrong.

    Raises:
        DataError: nothing readable in `data`, or no column that could be the text or the label.
        OutputError: `output` is there already, or cannot be written.
    """
    if output.exists():
        raise OutputError("is there already", where=str(output), fix="name another file: -o FILE")
    folder = Path(model).expanduser()
    # A study's own paths are relative to its file, and this one to the present folder.
    model = str(folder.resolve()) if folder.is_dir() else model
    guess = guess_data(data, text, label)
    out = f"runs/{output.stem}"
    write_text(output, format_study(guess, model=model, out=out, relative_to=output.resolve().parent))


def format_study(guess: DataGuess, *, model: str, out: str, relative_to: Path) -> str:
    """The commented study file for `guess`, with paths relative to the folder it will stand in."""
    lines = [
        "# A Headstart study. Check it with `headstart plan`, train with `headstart run`.",
        f"question: {_quote(_ask(model))}",
        f"task: {guess.task:<17} # {' | '.join(_list_tasks())}",
        *_format_data(guess, relative_to),
        f"model: {_quote(model):<18} # a folder, a hub id, or asset:minilm",
        "arms:                      # a bag of words is added to these unless you write `words: null`",
        "  pretrained: {init: pretrained}",
        "  random: {init: random}   # the control: the same network without pretraining",
        "control: random",
        "seeds: 3                   # every arm is trained once with each",
        *_format_training(guess),
        f"out: {_quote(out)}",
    ]
    return "\n".join(lines) + "\n"


def _ask(model: str) -> str:
    return f"Does pretraining ({Path(model.removeprefix('asset:')).name}) help on my texts?"


def _list_tasks() -> list[str]:
    """The tasks of labelled texts."""
    return [name for name, traits in TASKS.items() if not traits.generates]


def _format_data(guess: DataGuess, relative_to: Path) -> list[str]:
    split = "  split: {valid: 0.1, test: 0.2, seed: 0}  # of the texts, stratified; parts without a file"
    seen = f"{guess.rows} rows seen, median {guess.median_words:.0f} words"
    return [
        "data:",
        *(f"  {key}: {_quote(_relate(path, relative_to))}" for key, path in guess.files.items()),
        *([] if {"valid", "test"} <= guess.files.keys() else [split]),
        f"  text: {_quote(guess.text):<19} # {seen}",
        f"  label: {_quote(guess.label):<18} # {_describe_labels(guess)}",
    ]


def _format_training(guess: DataGuess) -> list[str]:
    default, *others = get_task_traits(guess.task).metrics
    return [
        "training:",
        "  batch_size: 16",
        "  epochs: 3                # the best one on valid is tested",
        "  learning_rate: 3e-5",
        f"  max_length: {_choose_max_length(guess):<14} # tokens; longer texts are cut",
        "# tune: {learning_rate: [1e-5, 3e-5, 1e-4]}  # each arm at its own best, chosen by two more seeds",
        f"select: {{metric: {default}}} # or {', '.join(others)}",
    ]


def _describe_labels(guess: DataGuess) -> str:
    if not get_task_traits(guess.task).has_classes:
        return "numbers"
    shown = [f"{name} {rows}" for name, rows in islice(guess.classes.items(), _CLASSES_SHOWN)]
    more = len(guess.classes) - len(shown)
    return (", ".join(shown) + (f", and {more} more" if more else "")).replace("\n", " ")


def _choose_max_length(guess: DataGuess) -> int:
    """Room for texts of about twice the median length, in tokens; never more than small models take."""
    return next((limit for limit in (64, 128) if guess.median_words * 3 < limit), 256)


def _relate(path: Path, folder: Path) -> str:
    absolute = path.resolve()
    relative = str(absolute.relative_to(folder) if absolute.is_relative_to(folder) else absolute)
    return str(absolute) if relative.startswith("~") else relative  # a study's `~` is the user's home


def _quote(text: str) -> str:
    """A YAML scalar that is read back as this very text."""
    is_plain = text.isprintable() and text[:1].isalpha() and not set(text) & set(":#{}[],&*?|<>=!%@`\"'\\")
    is_reserved = text.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    if (is_plain and not is_reserved and text == text.strip()) or text.startswith("asset:"):
        return text
    return "'" + text.replace("'", "''") + "'"
