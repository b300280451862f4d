"""Packs that the device's engine trains wherever they are: on a GPU, or on the CPU in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification
from transformers.models.bloom import modeling_bloom

from captured import CountingCapture
from headstart.config.runs import Run
from headstart.data.tokenise import Tokens
from headstart.device import Precision, choose_weights_dtype
from headstart.engine.device_steps import DeviceSteps
from headstart.engine.kind import force_device_engine
from headstart.engine.member import Member, PackContext, StepBatches, TokenisedExamples
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.create import create_optimiser
from headstart.engine.runtime import StepNotes, open_runtime
from headstart.engine.train import train
from headstart.engine.weights import Weights
from kept_states import load_last, save_after
from tiny import (
    VOCABULARY,
    EventRecorder,
    make_tiny_config,
    make_tiny_context,
    make_tiny_labels,
    make_tiny_run,
    make_tiny_weights,
    max_difference,
)

CPU = torch.device("cpu")
#: Architectures whose code or operators differ.
FAMILIES = ("roberta", "bert", "deberta-v2", "gpt2", "bloom", "llama", "modernbert", "mpnet")
Case = tuple[Run, np.ndarray]
#: Two whose epochs and last steps are at one time, so that their pack stays whole and is evaluated as one,
#: whatever is captured.
EVEN: tuple[Case, ...] = (
    (make_tiny_run(0, epochs=3, learning_rate=1e-2), np.arange(59)),
    (make_tiny_run(1, epochs=3, learning_rate=3e-3, clip=0.3, weight_decay=0.3), np.arange(60)),
)
#: Members of other sizes, lengths, rates, schedules and clips; one without patience leaves early.
RAGGED: tuple[Case, ...] = (
    (make_tiny_run(0, epochs=4, learning_rate=3e-3), np.arange(60)),
    (make_tiny_run(1, epochs=3, learning_rate=1e-2, schedule="cosine"), np.arange(7, 26)),
    (make_tiny_run(2, epochs=9, learning_rate=1e-12, patience=1), np.arange(40)),
    (make_tiny_run(3, epochs=2, clip=0, accumulation=2, schedule="constant"), np.arange(45)),
    (make_tiny_run(4, epochs=2, weight_decay=0.3, betas=(0.8, 0.99)), np.arange(60)),
    (make_tiny_run(5, epochs=1, learning_rate=1e-2, warmup=3), np.arange(10, 60)),
)


def shorten(case: Case) -> Case:
    """The same of one epoch."""
    run, index = case
    return replace(run, training=run.training.model_copy(update={"epochs": 1})), index


def use_device_engine(device: torch.device) -> AbstractContextManager[None]:
    """Have the device's engine compute within the block, on a CPU too."""
    return force_device_engine() if device.type == "cpu" else nullcontext()


@dataclass(frozen=True)
class Setting:
    """Where and how packs of a family's tiny model train.

    On a CPU, captures are what stands for them there (`CountingCapture`). `longest` is of texts in tokens;
    `narrow` has the module compute with a bf16 copy of its weights.
    """

    device: torch.device
    family: str = "roberta"
    precision: Precision = "fp32"
    dropout: float = 0.2
    captures: Literal["auto", "off"] = "auto"
    compiles: Literal["on", "off"] = "off"
    texts: int = 60
    longest: int = 20
    narrow: bool = False

    def __str__(self) -> str:
        return f"{self.family} in {self.precision} on {self.device}"

    def make_context(self) -> PackContext:
        """Texts of three classes, both parts measured after each epoch."""
        context = make_tiny_context(texts=self.texts, curves=("valid", "test"))
        if self.longest > 20:
            context = replace(context, parts={p: self._lengthen(e) for p, e in context.parts.items()})
        return replace(
            context,
            device=self.device,
            precision=self.precision,
            captures=self.captures,
            compiles=self.compiles,
        )

    def _lengthen(self, examples: TokenisedExamples) -> TokenisedExamples:
        draws, count = np.random.default_rng(len(examples.tokens)), len(examples.tokens)
        lengths = draws.integers(self.longest // 2, self.longest, count)
        ids = draws.integers(4, VOCABULARY, lengths.sum()).astype(np.int32)
        tokens = Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]), None, 0)
        return TokenisedExamples(tokens, make_tiny_labels(count, "classification"))

    def make_weights(self, seeds: Sequence[int]) -> Weights:
        """Of a model for each seed, on the device in the format of its weights."""
        with use_device_engine(self.device):
            weights = make_tiny_weights([self._make_model(seed) for seed in seeds])
            if self.narrow:
                weights.keep_narrow_copy()
        return weights

    def _make_model(self, seed: int) -> Any:
        places = {} if self.longest <= 20 else _count_places(self.family, self.longest)
        config = make_tiny_config(self.family, self.dropout, num_labels=3, **places)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = AutoModelForSequenceClassification.from_config(config)
        return model.to(self.device, choose_weights_dtype(self.precision)).train()


def _count_places(family: str, longest: int) -> dict[str, int]:
    """The part of a configuration that lets texts be so long."""
    name = "n_positions" if family == "gpt2" else "max_position_embeddings"
    return {} if family == "bloom" else {name: longest + 4}


class Trained:
    """Runs that were trained as one.

    `optimiser` and `weights` are of members that resume. `more` goes to `train`.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        setting: Setting,
        *,
        members: list[Member] | None = None,
        weights: Weights | None = None,
        **more: Any,
    ) -> None:
        self.setting, self.heard = setting, EventRecorder()
        self.members = members or [Member(*case) for case in cases]
        self.weights = weights or setting.make_weights([run.seed for run, _ in cases])
        self.capture = self._stand_in() if setting.device.type == "cpu" else None
        capture = self.capture if setting.captures == "auto" else None  # on a GPU the context says it
        more = {"read_every": 4, "capture": capture} | more
        with use_device_engine(setting.device):
            self.notes: StepNotes = train(
                self.members, self.weights, setting.make_context(), self.heard, **more
            )

    def _stand_in(self) -> CountingCapture:
        """What is compiled cannot be watched; interpreted kernels read whatever they like."""
        return CountingCapture(watches=self.setting.compiles == "off")

    def losses(self, r: int) -> list[float]:
        """Of all steps of a member."""
        return [loss for _, loss in self.heard.steps_of(self.members[r].run)]

    def points(self, r: int) -> list[Any]:
        """What a member's epochs measured, but for the time they took."""
        return [point.model_dump(exclude={"seconds"}) for point in self.members[r].epochs]


def assert_captured(trained: Trained) -> None:
    """Its steps were."""
    notes = trained.notes
    assert notes.captured, f"{trained.setting}: {notes.eager_reason}"
    assert notes.eager_reason is None, f"{trained.setting}: {notes.eager_reason}"


def assert_same_bits(first: Trained, second: Trained) -> None:
    """Losses, epochs and weights of all members are equal."""
    for r, (one, other) in enumerate(zip(first.members, second.members, strict=True)):
        where = f"{first.setting}, member {r}"
        assert first.losses(r) == second.losses(r), where
        assert first.points(r) == second.points(r), where
        assert one.weights is not None, f"{where}: {one.error}"
        assert other.weights is not None, f"{where}: {other.error}"
        assert torch.equal(one.weights, other.weights), where


def assert_near(first: Trained, second: Trained, rows: Sequence[int], bound: float) -> None:
    """All members of `second` are those at `rows` of the first: the losses of their steps and epochs are as
    near as `bound`, and weights about so."""
    for r, mine in zip(range(len(second.members)), rows, strict=True):
        where = f"{first.setting} and {second.setting}, member {mine}"
        assert first.losses(mine) == pytest.approx(second.losses(r), rel=0, abs=bound), where
        one, other = first.members[mine], second.members[r]
        assert one.steps == other.steps, where
        losses = [[point.valid["loss"] for point in member.epochs] for member in (one, other)]
        assert losses[0] == pytest.approx(losses[1], rel=0, abs=bound), where
        assert one.weights is not None, f"{where}: {one.error}"
        assert other.weights is not None, f"{where}: {other.error}"
        gap = max_difference(one.weights.cpu().double(), other.weights.cpu().double())
        # AdamW makes of a tiny gradient that is nothing but rounding a step of its own.
        assert gap < 10 * bound, where


def evaluate_often(setting: Setting, members: int, times: int) -> tuple[list[torch.Tensor], StepNotes]:
    """The valid examples' logits by a pack of new members, [R, n, C] each time; and how they were made."""
    context, weights = setting.make_context(), setting.make_weights(range(members))
    capture = CountingCapture() if setting.device.type == "cpu" and setting.captures == "auto" else None
    runs = [Member(make_tiny_run(seed), np.arange(setting.texts)) for seed in range(members)]
    with use_device_engine(setting.device), open_runtime(context, capture) as runtime:
        optimiser = create_optimiser(weights, [member.run.training for member in runs])
        forward = runtime.open_steps(runs, weights, optimiser).find_forward("valid")
        assert forward is not None
        found = [torch.cat([logits for _, logits in forward.iter_outputs()], dim=1) for _ in range(times)]
    return found, runtime.notes


# --- What a pack goes through -----------------------------------------------------------------------------


@contextmanager
def break_gradients(run: Run, step: int) -> Iterator[None]:
    """Within the block the gradients of a run are no numbers from this step on, and nobody else's."""
    update, made = DeviceSteps.update, 0

    def spoil(self: Any) -> Any:
        nonlocal made
        made += 1
        for r, training in enumerate(self._optimiser._trainings):
            if training is run.training and made >= step:
                self._weights.grads[r, 5] = float("nan")
        return update(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeviceSteps, "update", spoil)
        yield


@contextmanager
def watch_packs() -> Iterator[list[int]]:
    """The sizes of the packs for which buffers were made within the block."""
    packs: list[int] = []
    opened = DeviceSteps.__init__

    def watch(self: DeviceSteps, members: Sequence[Member], *rest: Any) -> None:
        packs.append(len(members))
        opened(self, members, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeviceSteps, "__init__", watch)
        yield packs


@contextmanager
def fail_large_packs(most: int) -> Iterator[None]:
    """Where memory cannot be limited: within the block steps of more members have none."""
    accumulate = DeviceSteps.accumulate

    def fail(self: DeviceSteps, step_batches: Sequence[StepBatches]) -> None:
        accumulate(self, step_batches)
        if len(step_batches) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeviceSteps, "accumulate", fail)
        yield


def train_until(folder: Path, case: Case, setting: Setting, epoch: int) -> None:
    """Train a run, its state after this epoch kept in `folder`."""

    Trained([case], setting, save_states=save_after(epoch, folder))


def resume(folder: Path, case: Case, setting: Setting) -> Trained:
    """Train a run on from the state in `folder`, in weights that begin as another's."""
    member, weights = Member(*case), setting.make_weights([99])
    with use_device_engine(setting.device):
        optimiser: Optimiser = create_optimiser(weights, [case[0].training])
    assert load_last(folder, "it", member, weights, 0, optimiser)
    return Trained([case], setting, members=[member], weights=weights, optimiser=optimiser)


class _WideFunctions:
    """torch's functions, whose softmax keeps to the format that it is given."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.nn.functional, name)

    def softmax(self, x: torch.Tensor, dim: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.softmax(x, dim)


@contextmanager
def widen_bloom() -> Iterator[None]:
    """BLOOM's softmax is in float32 whatever its weights are in: within the block it is in their format."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modeling_bloom, "F", _WideFunctions())
        yield
