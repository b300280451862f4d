"""What docs/quickstart.md shows of `plan` and `run` is what they print: words, and figures of its scores."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from rich.console import Console

import headstart
from docs_blocks import CONSOLE, Command, list_blocks, list_commands
from headstart.analysis.findings import Findings, make_findings
from headstart.cli import main
from headstart.config.study import Study
from headstart.models import checkpoints
from headstart.records import RunRecord
from headstart.report.study_summary import render_study_summary
from headstart.store.prediction_tables import Predictions
from studies import make_record

PAGE: Final = "docs/quickstart.md"
#: Of 40 test texts half are bad, which is class 0.
Y_TRUE: Final = np.repeat([0, 1], 20)
LABELS: Final = {"counts": {name: {"train": 70} for name in ("bad", "good")}}
SEEDS: Final = range(3)
#: What the page's runs took, which no other run takes: seconds of each seed, and the most memory.
COSTS: Final[dict[str, tuple[tuple[float, ...], int, int]]] = {
    "pretrained": ((54.4, 21.6, 29.7), 1_100_709_888, 22_713_986),
    "random": ((25.2, 29.8, 22.6), 1_057_083_392, 22_713_986),
    "words": ((2.4, 0.9, 0.8), 880_906_240, 76),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_roberta: Path) -> Path:
    """A folder with the page's data and study file; asset:minilm is a tiny checkpoint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setattr(checkpoints, "fetch_model", lambda *_: tiny_roberta)
    maker = next(block for block in list_blocks(PAGE) if block.language == "python")
    exec(compile(maker.text, str(maker), "exec"), {})
    study = next(block.text for block in list_blocks(PAGE) if block.language == "yaml")
    (tmp_path / "study.yaml").write_text(study, encoding="utf-8")
    return tmp_path


def find_command(*words: str) -> Command:
    """The command of the page that begins with these words, and shows what it prints."""
    blocks = (block for block in list_blocks(PAGE) if block.language == CONSOLE)
    commands = (command for block in blocks for command in list_commands(block))
    return next(one for one in commands if one.output and one.words[1 : 1 + len(words)] == words)


def mask(text: str) -> list[str]:
    """Lines without figures, bars and the widths of columns, which are the checkpoint's and the machine's."""
    return [line for line in map(_mask_line, text.strip().splitlines()) if line]


def _mask_line(line: str) -> str:
    if re.match(r"  +\d+ +[▏▎▍▌▋▊▉█ ]*\d+$", line):  # a histogram's bar
        return ""
    figures = re.sub(r"\d[\d.,]*(e-\d+)?(?: to \d[\d.,]*)?", "#", re.sub("[─▏▎▍▌▋▊▉█]+", "", line))
    return " ".join(re.sub(r"# (?:[KMG]iB|bytes)", "# GiB", figures).split())


def test_the_plan_has_the_words_of_the_page(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = find_command("plan", "study.yaml")
    assert main(list(command.words[1:])) == 0
    # The tiny checkpoint knows few of the words, which is warned of in a paragraph of its own.
    printed = re.sub(r"\n! asset:minilm: its tokenizer .*?\n\n", "\n", capsys.readouterr().out, flags=re.S)
    assert mask(printed) == mask(command.output)


def test_the_first_look_is_told_as_on_the_page(desk: Path) -> None:
    """Every character: rounded to what is shown, the runs are those of the page."""
    command = find_command("run", "study.yaml")
    study = headstart.load_study("study.yaml", command.words[3:])
    out = desk / "runs" / "first"
    (out / "models" / "pretrained").mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):  # what transformers loads
        (out / "models" / "pretrained" / name).write_text("{}", encoding="utf-8")
    for name in ("tensorboard/events", "report/index.html"):
        (out / name).parent.mkdir()
        (out / name).write_text("", encoding="utf-8")
    stream = StringIO()
    Console(file=stream, width=90).print(render_study_summary(find_first_look(study), out))
    assert strip(stream.getvalue()) == strip(command.output)


def strip(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def find_first_look(study: Study) -> Findings:
    records = [record for arm in COSTS for record in make_records(arm)]
    return make_findings(study, records, (), read, labels=LABELS)


def read(key: str, metric: str) -> Predictions:
    y_pred = np.ones(40, int) if key.startswith("random/") else Y_TRUE
    return Predictions("classes", Y_TRUE, y_pred, 2, "d", np.ones(40), names=("bad", "good"))


def make_records(arm: str) -> Iterator[RunRecord]:
    """Three runs; two epochs of 18 steps where there are any."""
    seconds, memory, parameters = COSTS[arm]
    epoch: dict[str, Any] = {"learning_rate": 1e-5, "valid": {}, "test": None, "seconds": 1.0}
    losses = {"pretrained": 0.58, "random": 0.7015}
    epochs = [
        epoch | {"epoch": i, "step": 18 * i, "train_loss": losses[arm]} for i in (1, 2) if arm in losses
    ]
    for seed in SEEDS:
        yield make_record(
            arm,
            seed,
            0.5 if arm == "random" else 1.0,
            seconds=seconds[seed],
            peak_memory_bytes=memory,
            parameters={"total": parameters, "trainable": parameters},
            epochs=epochs,
            train_examples=140,
        )
