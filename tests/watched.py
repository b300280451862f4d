"""An optimiser that tests look into: it does what the engine's own does, and can have weights overflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from headstart.engine.member import Member
from headstart.engine.optim.base import Moments, Optimiser
from headstart.engine.optim.create import create_optimiser
from headstart.engine.weights import Weights


@dataclass(frozen=True)
class WatchedOptimiser:
    """An optimiser of members that are called by their first places in the pack, whoever leaves.

    `moments` are copies of each member's after its last step, `norms` those of all its steps. After step
    `overflows[place]` of a member its decaying weights become infinite.
    """

    inner: Optimiser
    weights: Weights
    places: Sequence[int]
    overflows: Mapping[int, int]
    moments: dict[int, Moments] = field(default_factory=dict)
    norms: dict[int, list[float]] = field(default_factory=dict)

    def step(self, rates: Sequence[float], clips: Sequence[float]) -> torch.Tensor:
        """Make the step, remember what it left, and do the harm that is due."""
        norms = self.inner.step(rates, clips)
        for r, place in enumerate(self.places):
            self.moments[place] = {name: x.clone() for name, x in self.export_moments(r).items()}
            norms_of_member = self.norms.setdefault(place, [])
            norms_of_member.append(float(norms[r]))
            if len(norms_of_member) == self.overflows.get(place):
                self.weights.values[r, self.weights.decayed] = float("inf")
        return norms

    def select(self, rows: Sequence[int], weights: Weights) -> WatchedOptimiser:
        """The same of some members, with the same memory."""
        inner = self.inner.select(rows, weights)
        return replace(self, inner=inner, weights=weights, places=[self.places[r] for r in rows])

    def export_moments(self, r: int) -> Moments:
        """Those of the inner one."""
        return self.inner.export_moments(r)

    def import_moments(self, r: int, moments: Moments) -> None:
        """To the inner one."""
        self.inner.import_moments(r, moments)


def watch_optimiser(
    weights: Weights, members: Sequence[Member], overflows: Mapping[int, int] | None = None
) -> WatchedOptimiser:
    """The optimiser that a pack of these members trains with, watched."""
    inner = create_optimiser(weights, [member.run.training for member in members])
    return WatchedOptimiser(inner, weights, range(len(members)), overflows or {})
