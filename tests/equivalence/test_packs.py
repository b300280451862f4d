"""A pack is its runs: members trained as one equal the same runs alone, in every family, dropout on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from headstart.engine.member import Member
from headstart.engine.train import train
from tiny import (
    FAMILIES,
    EventRecorder,
    make_tiny_context,
    make_tiny_model,
    make_tiny_run,
    make_tiny_weights,
    max_difference,
)
from watched import watch_optimiser

SMALL = np.arange(7, 40)
#: Other seeds, rates, clips, decays, schedules; fewer texts; one that runs out of patience.
RUNS = (
    (make_tiny_run(0, steps=20), np.arange(60)),
    (make_tiny_run(1, steps=20, learning_rate=3e-3, clip=0.1, schedule="cosine"), SMALL),
    (make_tiny_run(2, steps=30, learning_rate=1e-12, patience=1), np.arange(60)),
    (make_tiny_run(3, steps=20, weight_decay=0.3, betas=(0.8, 0.99)), np.arange(60)),
    (make_tiny_run(0, epochs=2, learning_rate=2e-3, warmup=0), SMALL),
)
OVERFLOWING, LAST_SOUND_STEP = 3, 13


class _Pack:
    """The given runs, trained as one; what is left of them can be looked at."""

    def __init__(self, family: str, which: Sequence[int], read_every: int | None = None) -> None:
        models = [make_tiny_model(family, seed=50 + r, dropout=0.2) for r in which]
        self.members = [Member(RUNS[r][0], RUNS[r][1]) for r in which]
        self.heard = EventRecorder()
        weights = make_tiny_weights(models)
        overflows = {place: LAST_SOUND_STEP for place, r in enumerate(which) if r == OVERFLOWING}
        self.optimiser = watch_optimiser(weights, self.members, overflows)
        train(
            self.members,
            weights,
            make_tiny_context(),
            self.heard,
            optimiser=self.optimiser,
            read_every=read_every,
        )

    def losses(self, place: int) -> list[float]:
        """A member's, as they were told."""
        return [loss for _, loss in self.heard.steps_of(self.members[place].run)]

    def moments(self, place: int) -> list[torch.Tensor]:
        """A member's, as they are after its last step."""
        return list(self.optimiser.moments[place].values())


@pytest.mark.parametrize("family", FAMILIES)
def test_members_of_a_pack_are_the_runs_they_are_alone(family: str) -> None:
    pack = _Pack(family, range(len(RUNS)))
    for place in range(len(RUNS)):
        alone = _Pack(family, [place])
        mine, alone_member = pack.members[place], alone.members[0]
        assert (mine.steps, mine.micro_batches, bool(mine.error)) == (
            alone_member.steps,
            alone_member.micro_batches,
            bool(alone_member.error),
        )
        assert np.allclose(pack.losses(place), alone.losses(0), rtol=0, atol=1e-9, equal_nan=True)
        if place != OVERFLOWING:
            assert max_difference(mine.weights, alone_member.weights) < 1e-9
            assert max(map(max_difference, pack.moments(place), alone.moments(0))) < 1e-9
            assert [_scores(p) for p in mine.epochs] == [
                pytest.approx(_scores(p), abs=1e-9) for p in alone_member.epochs
            ]


def _scores(point: Any) -> dict[str, float]:
    return {"step": point.step, "train": point.train_loss, **point.valid}


def test_the_case_holds_what_it_should() -> None:
    """Runs that end at three different steps, one of them stopped, one failed; other weights for each."""
    pack = _Pack("bert", range(len(RUNS)))
    assert [member.steps for member in pack.members] == [20, 20, 20, LAST_SOUND_STEP + 1, 12]
    assert [member.error is not None for member in pack.members] == [r == OVERFLOWING for r in range(5)]
    assert pack.members[2].has_ended
    assert pack.members[2].steps < pack.members[2].total_steps
    ended = [member.weights for member in pack.members if member.weights is not None]
    assert all(max_difference(a, b) > 1e-3 for a, b in itertools.combinations(ended, 2))


@pytest.mark.parametrize("which", [(1, 0), (0, 4, 1), (4, 1, 2, 0)])
def test_a_run_is_the_same_in_any_pack(which: tuple[int, ...]) -> None:
    alone, pack = _Pack("roberta", [1]), _Pack("roberta", which)
    assert max_difference(pack.members[which.index(1)].weights, alone.members[0].weights) < 1e-9
