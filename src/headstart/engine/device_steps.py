"""Steps on a device: pure functions over fixed buffers that never wait for the host, and so can be captured.

A step is one body a forward and backward pass, and one for the update of all members. What differs from step
to step is sent ahead of a pass (`feeds`) or lies in tables on the device; losses and norms stay there. The
bodies are the same whether they are captured as CUDA graphs or run as they are, on a CPU too.

Shapes: R members, B rows each, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import torch

from headstart.data.corpus import Part
from headstart.device import make_autocast_context
from headstart.engine.compiling import CompileError, Compiler, Forward, compile_module, pays_to_compile
from headstart.engine.device_evaluation import DeviceForward, plan_forward
from headstart.engine.dropout.device_dropout import DeviceDropout
from headstart.engine.dropout.philox import derive_keys
from headstart.engine.feeds import StepShape, create_feed
from headstart.engine.graphs import Capturing, Graphs, make_capturable
from headstart.engine.member import Member, PackContext, StepBatches
from headstart.engine.micro_batches import count_micro_batches
from headstart.engine.optim.batched import BatchedAdamW
from headstart.engine.schedule import learning_rate
from headstart.engine.staged import StagedExamples
from headstart.engine.step import choose_loss_inputs
from headstart.engine.weights import Weights

#: Steps of a captured pack that capturing one more shape costs, with a first step as it is. Of RoBERTa-small
#: in bf16 (an NVIDIA H100, torch 2.11) 0.1 s, which was 35 steps of one run, 18 of six, 4 of 32.
_STEPS_PER_CAPTURE: Final = 20
#: Times that a batch of an evaluation is computed before it is captured. There, a capture took 6 to 15 ms and
#: saved 1 to 7 of them each time, so that it had paid for itself after two to six times.
EVALUATIONS_PER_CAPTURE: Final = 5


@dataclass
class DeviceStage:
    """What all packs of one training share on a device: staged examples, and whether bodies are captured."""

    context: PackContext
    capturing: Capturing
    compiler: Compiler = compile_module
    #: Of the pack that was opened last: whether it was compiled in the end, and if not after all, why.
    forward: Forward | None = None
    _staged: dict[Part, StagedExamples] = field(default_factory=dict)

    def stage(self, part: Part) -> StagedExamples:
        """The examples of a part, copied to the device when they are first asked for."""
        if part not in self._staged:
            examples, context = self.context.parts[part], self.context
            self._staged[part] = StagedExamples(
                examples.tokens, examples.labels, context.pad_id, context.device
            )
        return self._staged[part]

    def open_forward(self, members: Sequence[Member], module: torch.nn.Module) -> Forward:
        """What calls the module in training passes: compiled where the study wants it, or where that pays."""
        setting = self.context.compiles
        wants = setting == "on" or (setting == "auto" and pays_to_compile(members, module, self.context))
        self.forward = Forward(module, self.compiler if wants else None)
        return self.forward


class DeviceSteps:
    """`Steps` of members in the order of their weights' rows, whose buffers it keeps using."""

    def __init__(
        self,
        members: Sequence[Member],
        weights: Weights,
        optimiser: BatchedAdamW,
        stage: DeviceStage,
    ) -> None:
        context, count = stage.context, len(members)
        self._context, self._weights, self._optimiser = context, weights, optimiser
        self._feed = create_feed(members, context, stage.stage("train"))
        self._stage, self._graphs = stage, Graphs(stage.capturing)
        self._forwards: dict[Part, DeviceForward] = {}
        self._forward = stage.open_forward(members, weights.module)
        self._keys = torch.from_numpy(derive_keys([m.run.seed for m in members])).to(context.device)
        self._rates = _tabulate_rates(members).to(context.device)
        self._turn = torch.zeros(1, dtype=torch.int64, device=context.device)
        clips = [member.run.training.clip for member in members]
        optimiser.clips.copy_(torch.tensor(clips, dtype=torch.float64))
        self._losses = torch.zeros(count, dtype=torch.float64, device=context.device)
        self._outcome = torch.zeros(2, count, dtype=torch.float64, device=context.device)

    def accumulate(self, step_batches: Sequence[StepBatches]) -> None:
        """As `Steps`."""
        for i in range(count_micro_batches(step_batches)):
            shape = self._feed.send(step_batches, i)
            self._graphs.run(shape, partial(self._accumulate, shape))

    def update(self) -> torch.Tensor:
        """As `Steps`."""
        self._graphs.run("update", self._update)
        return self._outcome.clone()

    def find_forward(self, part: Part, *, again: bool = True) -> DeviceForward:
        """As `Steps`."""
        if not again:
            return self._plan_forward(part, Graphs(Capturing(None)))
        if part not in self._forwards:
            graphs = Graphs(self._stage.capturing, EVALUATIONS_PER_CAPTURE)
            self._forwards[part] = self._plan_forward(part, graphs)
        return self._forwards[part]

    def _plan_forward(self, part: Part, graphs: Graphs) -> DeviceForward:
        context = self._context
        return plan_forward(
            self._weights.module,
            context.parts[part].tokens,
            self._stage.stage(part),
            context.task.reduce_logits,
            precision=context.precision,
            graphs=graphs,
        )

    def keep_ended(self, ended: int, left: int) -> bool:
        """As `Steps`: while capturing all shapes again would cost more than the idle members do.

        By counts, not by the clock, so that the same study rounds the same way again.
        """
        share = ended / len(self._losses)
        return left * share < _STEPS_PER_CAPTURE * len(self._graphs)

    def _accumulate(self, shape: StepShape) -> None:
        """Add the gradients of the last batch sent to the buffers, and its losses."""
        try:
            with self._forward.watch():
                by_member = self._backpropagate(shape)
        except CompileError:
            # Nothing was added to the gradients yet, and this time the module is not compiled.
            by_member = self._backpropagate(shape)
        self._losses.add_(by_member)

    def _backpropagate(self, shape: StepShape) -> torch.Tensor:
        """Add the gradients; each member's loss, [R]."""
        by_member = self._compute_losses(shape)
        with make_capturable(self._weights.module):
            # Summed over members, never averaged: a member's gradient is what it would be alone.
            by_member.sum().backward()  # type: ignore[no-untyped-call]
        return by_member.detach()

    def _compute_losses(self, shape: StepShape) -> torch.Tensor:
        """Each member's loss of the last batch sent, [R]."""
        fed, context = self._feed.read(shape), self._context
        module = self._weights.module
        more, labels = choose_loss_inputs(module, fed.batch.labels, fed.positions)
        with make_capturable(module), DeviceDropout(self._keys, fed.passes):
            with make_autocast_context(context.device, context.precision):
                logits = self._forward(**fed.batch.inputs, **more).logits
            losses = context.task.compute_losses(logits, labels)
        return (losses.view(fed.weights.shape) * fed.weights.to(losses.dtype)).sum(-1)

    def _update(self) -> None:
        """Update all members from the gradients in the buffers, and leave those at zero."""
        self._optimiser.rates.copy_(self._rates.index_select(1, self._turn).squeeze(1))
        norms = self._optimiser.update()
        self._outcome[0].copy_(self._losses)
        self._outcome[1].copy_(norms)
        self._weights.zero_gradients()
        self._losses.zero_()
        self._turn.add_(1).clamp_(max=self._rates.shape[1] - 1)


def _tabulate_rates(members: Sequence[Member]) -> torch.Tensor:
    """The learning rates of the steps that are left, [R, most of them]; 0 after a member's last."""
    left = [member.total_steps - member.steps for member in members]
    table = np.zeros((len(members), max([1, *left])))
    for r, member in enumerate(members):
        training, total = member.run.training, member.total_steps
        table[r, : left[r]] = [learning_rate(training, step, total) for step in range(member.steps, total)]
    return torch.from_numpy(table)
