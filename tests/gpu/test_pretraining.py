"""Pretraining on a GPU: captured steps give the bits of those that are not, compiled ones their losses within
rounding; the same seed repeats them, also after a stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from captured import CountingCapture
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
    """The weights after some steps, and the record; in a rehearsal by the device's code on the CPU, with what
    stands for captures there, unless that of hosts is asked for."""
    settings = make_settings(task, **{"steps": STEPS, "precision": "fp32", "compile": "off"} | training)
    capture = None
    if device.type == "cpu" and not is_host and settings.training.graph == "auto":
        capture = CountingCapture(watches=settings.training.compile == "off")
    settings = PretrainingSettings.model_validate(
        settings.model_dump(exclude={"training": {"epochs"}})
        | {"device": device.type, "save_every": 2, "eval_every": 3}
    )
    model = make_model()
    with nullcontext() if is_host or device.type == "cuda" else force_device_engine():
        record = pretrain_tiny(settings, model, folder, on_event, capture=capture)
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
) -> None:
    """The same weights, and the same losses of steps and validations, to the bit."""
    points = [[(p.train_loss, p.valid) for p in record.points] for _, record in (one, other)]
    assert len(points[0]) == STEPS // 3
    assert points[0] == points[1]
    for name, value in one[0].items():
        assert torch.equal(value, other[0][name]), name


CASES = [
    ("masked-lm", make_dropping, {"precision": "fp32"}),
    ("masked-lm", make_dropping, {"precision": "bf16", "accumulation": 2}),
    ("masked-lm", make_dropping, {"precision": "pure-bf16"}),
    ("masked-lm", make_dropping, {"precision": "fp32", "optimiser": "muon"}),
    ("causal-lm", make_bloom, {"precision": "fp32", "accumulation": 2}),
]


@pytest.mark.parametrize(("task", "make_model", "training"), CASES)
def test_captured_steps_give_the_bits_of_eager_ones_and_of_a_second_time(
    task: str,
    make_model: Callable[[], Any],
    training: dict[str, Any],
    device: torch.device,
    tmp_path: Path,
) -> None:
    """With dropout, from whatever state of torch's own generator."""
    found = []
    for number, graph in enumerate(("auto", "auto", "off")):
        torch.manual_seed(number)
        folder = tmp_path / str(number)
        found.append(train(folder, device, make_model=make_model, task=task, graph=graph, **training))
    captured, again, eager = found
    assert captured[1].captured, captured[1].eager_reason
    assert not eager[1].captured
    assert (captured[1].eager_reason is None) == (training.get("optimiser") != "muon")
    assert_same(captured, again)
    assert_same(captured, eager)


@pytest.mark.usefixtures("inductor")
@pytest.mark.parametrize("precision", ["fp32", "pure-bf16"])
def test_captured_steps_that_are_compiled_have_the_masks_of_those_that_are_not(
    precision: str, device: torch.device, tmp_path: Path
) -> None:
    """Captured or not, a compiled pass draws the same masks; sums may come in any order."""
    told: dict[str, list[Event]] = {"auto": [], "off": []}
    for graph, events in told.items():
        training: dict[str, Any] = {"compile": "on", "precision": precision, "graph": graph}
        _, record = train(tmp_path / graph, device, events.append, make_dropping, **training)
        assert record.compiled, record.eager_reason
        assert record.captured == (graph == "auto"), record.eager_reason
    losses = {graph: list_losses(events) for graph, events in told.items()}
    assert losses["auto"] == pytest.approx(losses["off"], abs=1e-3 if precision == "fp32" else 0.05)


@pytest.mark.parametrize("stop_at", [3, STEPS - 1])
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_stopped_pretraining_goes_on_with_the_same_steps(
    optimiser: str, stop_at: int, device: torch.device, tmp_path: Path
) -> None:
    """What was a replay in the one is a pass as it is in the other, which begins anew."""
    training: dict[str, Any] = {"optimiser": optimiser, "accumulation": 2}
    whole = train(tmp_path / "whole", device, make_model=make_dropping, **training)
    assert whole[1].captured, whole[1].eager_reason

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == stop_at:
            raise TrainingError("stopped here")

    folder = tmp_path / "stopped"
    with pytest.raises(TrainingError, match="stopped here"):
        train(folder, device, stop, make_model=make_dropping, **training)
    assert (folder / STATE_FILE).is_file()
    resumed = train(folder, device, make_model=make_dropping, **training)
    assert resumed[1].steps == STEPS
    assert_same(whole, resumed)
