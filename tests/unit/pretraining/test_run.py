"""A pretraining from its start to its end: what it learns, records and resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headstart.errors import DamagedFileError, TrainingError
from headstart.events import EpochDone, Event, StepDone
from headstart.pretraining.run import pretrain_model
from headstart.records.pretraining import PretrainingRecord
from headstart.store.pretraining_folder import STATE_FILE
from tiny_pretraining import TOKENIZER, make_blocks, make_roberta, make_settings, pretrain_tiny

TESTS = Path(__file__).parents[2]
#: What a process does that is killed at its third saved state, after it was written.
KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads({threads})  # sums, and so bits, depend on them
import test_run
from headstart.pretraining import trainer
saved = 0
save = trainer.save_state
def save_and_die(*words):
    global saved
    saved += 1
    if saved == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    save(*words)
trainer.save_state = save_and_die
test_run.train(Path({folder!r}))
"""


def train(folder: Path, on_event: Any = lambda event: None, **training: Any) -> tuple[Any, PretrainingRecord]:
    """A pretraining with dropout in float32, whose state is saved after every second step."""
    usual: dict[str, Any] = {"steps": 9, "precision": "fp32", "accumulation": 2} | training
    settings = make_settings(**usual).model_copy(update={"save_every": 2, "eval_every": 4})
    model = make_roberta(dropout=0.1)
    return model, pretrain_tiny(settings, model, folder, on_event)


def test_a_killed_pretraining_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, record = train(tmp_path / "whole")
    folder = tmp_path / "killed"
    here = str(Path(__file__).parent)
    program = KILLED.format(tests=here, threads=torch.get_num_threads(), folder=str(folder))
    paths = os.pathsep.join([str(TESTS), *sys.path])
    died = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": paths}, check=False
    )
    assert died.returncode == -signal.SIGKILL
    told: list[Event] = []
    resumed, again = train(folder, told.append)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    timed = {"seconds", "tokens_per_second", "points"}
    assert again.model_dump(exclude=timed) == record.model_dump(exclude=timed)
    assert [point.valid for point in again.points] == [point.valid for point in record.points]
    # Steps of before the kill are told again, for curves that begin anew.
    assert [event.step for event in told if isinstance(event, StepDone)] == list(range(1, 10))
    assert [event.epoch.step for event in told if isinstance(event, EpochDone)] == [4, 8, 9]


def test_a_model_learns_what_stands_beside_a_mask(tmp_path: Path) -> None:
    settings = make_settings(steps=150, batch_size=16, learning_rate=2e-2, precision="fp32")
    record = pretrain_model(
        settings,
        model=make_roberta(),
        tokenizer=TOKENIZER,
        blocks=make_blocks(400, run=12),
        valid=make_blocks(32, 1, run=12),
        folder=tmp_path,
    )
    assert record.valid_loss < record.unigram_entropy < np.log(60)
    assert record.valid_accuracy > 0.2  # by chance 0.02
    assert record.tokens == 150 * 16 * 12
    assert record.flops_share is None


def test_a_damaged_state_is_not_trained_on(tmp_path: Path) -> None:
    train(tmp_path)
    content = bytearray((tmp_path / STATE_FILE).read_bytes())
    content[-5] ^= 1
    (tmp_path / STATE_FILE).write_bytes(content)
    with pytest.raises(DamagedFileError, match="it is damaged"):
        train(tmp_path)


def test_a_state_of_other_settings_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(DamagedFileError, match="other text, model, settings"):
        train(tmp_path, learning_rate=3e-2)


def test_a_loss_that_is_no_number_names_its_step(tmp_path: Path) -> None:
    model = make_roberta()
    model.lm_head.bias.data[7] = np.nan
    with pytest.raises(TrainingError, match="no longer finite at step 1: loss nan"):
        pretrain_model(
            make_settings(),
            model=model,
            tokenizer=TOKENIZER,
            blocks=make_blocks(),
            valid=make_blocks(4, 1),
            folder=tmp_path,
        )
    assert not (tmp_path / STATE_FILE).exists()
