"""Pretraining on a GPU: compiled steps are the eager ones, the same seed repeats them, also after a stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from headstart.config.pretraining import PretrainingSettings
from headstart.engine.kind import force_device_engine
from headstart.errors import TrainingError
from headstart.events import Event, StepDone
from headstart.records.pretraining import PretrainingRecord
from headstart.store.pretraining_folder import STATE_FILE
from tiny_pretraining import make_bloom, make_roberta, make_settings, pretrain_tiny

#: Steps of a pretraining here; a state is saved after every second one.
STEPS = 6


@pytest.fixture(scope="module")
def inductor(device: torch.device) -> None:
    """Compiling wants what may not be there: a C compiler, Python's headers, a GPU that triton knows."""
    x = torch.ones(8, device=device)
    try:
        torch.compile(lambda y: (y + 1).relu())(x)
    except Exception as error:  # noqa: BLE001 - whatever it lacks
        pytest.skip(f"inductor cannot run here: {error}")


def train(
    folder: Path,
    device: torch.device,
    on_event: Callable[[Event], None] = lambda event: None,
    make_model: Callable[[], Any] = make_roberta,
    task: str = "masked-lm",
    is_host: bool = False,
    **training: Any,
) -> tuple[dict[str, torch.Tensor], PretrainingRecord]:
    """The weights after some steps, and the record; in a rehearsal by the device's code on the CPU, unless
    that of hosts is asked for."""
    settings = make_settings(task, **{"steps": STEPS, "precision": "fp32", "compile": "off"} | training)
    settings = PretrainingSettings.model_validate(
        settings.model_dump(exclude={"training": {"epochs"}})
        | {"device": device.type, "save_every": 2, "eval_every": 3}
    )
    model = make_model()
    with nullcontext() if is_host or device.type == "cuda" else force_device_engine():
        record = pretrain_tiny(settings, model, folder, on_event)
    return model.state_dict(), record


def make_dropping() -> Any:
    return make_roberta(dropout=0.1)


def list_losses(told: list[Event]) -> list[float]:
    return [event.loss for event in told if isinstance(event, StepDone)]


@pytest.mark.usefixtures("inductor")
@pytest.mark.parametrize(
    ("task", "make_model", "precision", "bound"),
    [
        ("masked-lm", make_roberta, "fp32", 1e-4),
        ("masked-lm", make_roberta, "pure-bf16", 0.05),
        ("causal-lm", make_bloom, "fp32", 1e-4),
    ],
)
def test_compiled_steps_are_the_eager_ones(
    task: str,
    make_model: Callable[[], Any],
    precision: str,
    bound: float,
    device: torch.device,
    tmp_path: Path,
) -> None:
    told: dict[str, list[Event]] = {"on": [], "off": []}
    for compiles, events in told.items():
        _, record = train(
            tmp_path / compiles,
            device,
            events.append,
            make_model,
            task,
            precision=precision,
            compile=compiles,
        )
        assert record.compiled == (compiles == "on"), record.eager_reason
    losses = {compiles: list_losses(events) for compiles, events in told.items()}
    assert len(losses["on"]) == STEPS
    assert losses["on"] == pytest.approx(losses["off"], abs=bound)
    assert losses["on"][-1] < losses["on"][0]


def test_eager_steps_are_those_of_a_cpu(device: torch.device, tmp_path: Path) -> None:
    """Without dropout, whose masks are other ones."""
    here: list[Event] = []
    there: list[Event] = []
    train(tmp_path / "here", device, here.append, accumulation=2)
    train(tmp_path / "there", torch.device("cpu"), there.append, is_host=True, accumulation=2)
    assert list_losses(here) == pytest.approx(list_losses(there), abs=1e-4)


def assert_same(
    one: tuple[dict[str, torch.Tensor], PretrainingRecord],
    other: tuple[dict[str, torch.Tensor], PretrainingRecord],
    device: torch.device,
) -> None:
    """On a CPU the same bits; on a GPU, whose kernels add up in any order, the losses within rounding."""
    losses = [[point.valid["loss"] for point in record.points] for _, record in (one, other)]
    assert len(losses[0]) == STEPS // 3
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)
    if device.type == "cpu":
        assert all(torch.equal(value, other[0][name]) for name, value in one[0].items())


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_the_same_seed_gives_the_same_steps(optimiser: str, device: torch.device, tmp_path: Path) -> None:
    """With dropout, from whatever state of torch's own generator."""
    found = []
    for number in range(2):
        torch.manual_seed(number)
        folder = tmp_path / str(number)
        found.append(train(folder, device, make_model=make_dropping, optimiser=optimiser))
    assert_same(found[0], found[1], device)


def test_a_stopped_pretraining_goes_on_with_the_same_steps(device: torch.device, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", device, make_model=make_dropping, accumulation=2)

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == STEPS - 1:
            raise TrainingError("stopped here")

    folder = tmp_path / "stopped"
    with pytest.raises(TrainingError, match="stopped here"):
        train(folder, device, stop, make_model=make_dropping, accumulation=2)
    assert (folder / STATE_FILE).is_file()
    resumed = train(folder, device, make_model=make_dropping, accumulation=2)
    assert resumed[1].steps == STEPS
    assert_same(whole, resumed, device)
