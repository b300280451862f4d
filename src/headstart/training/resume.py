"""Saves training states of unfinished runs and resumes from them; another run's state is not taken."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

import torch

from headstart.engine.member import Member, PackContext
from headstart.engine.optim.base import Moments, Optimiser
from headstart.engine.training_state import load_training_state, save_training_state
from headstart.engine.weights import Weights
from headstart.errors import TrainingError
from headstart.methods import load_method
from headstart.prepared import PreparedRun
from headstart.store.runs import RunStore

#: Seconds of training that may be lost, and the share of the time that writing may take.
SAVE_INTERVAL, MAX_TIME_SHARE = 60.0, 0.05
#: The environment's word for the seconds, where they are to be others; writing then takes what time it takes.
_SECONDS_VARIABLE: Final = "HEADSTART_STATE_SECONDS"


def read_save_limits() -> tuple[float, float]:
    """Seconds between two states of a run, and the share of the time that writing may take.

    Raises:
        TrainingError: the environment names seconds that are no number, or below zero.
    """
    word = os.environ.get(_SECONDS_VARIABLE)
    if not word:
        return SAVE_INTERVAL, MAX_TIME_SHARE
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise TrainingError(f"{word!r} seconds", where=_SECONDS_VARIABLE, expected="a number, 0 or more")
    return seconds, math.inf


class TrainingStateSaver:
    """Writes the states of a pack's members at the ends of their epochs: seldom enough not to be felt."""

    def __init__(
        self,
        runs: Sequence[PreparedRun],
        weights: Weights,
        context: PackContext,
        store: RunStore,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._identity = {prepared.run.key: _identify_state(prepared, context, weights) for prepared in runs}
        self._store, self._clock = store, clock
        self._began, self._spent = clock(), 0.0
        self._interval, self._max_share = read_save_limits()
        self._last = dict.fromkeys(self._identity, self._began)

    def save(self, member: Member, weights: torch.Tensor, moments: Moments) -> None:
        """Write the member's state if the last one is old enough."""
        key, now = member.run.key, self._clock()
        if now - self._last[key] < self._interval or self._spent > self._max_share * (now - self._began):
            return
        self._write(member, weights, moments)
        self._last[key] = self._clock()
        self._spent += self._last[key] - now

    def save_learnt(self, members: Iterable[Member]) -> None:
        """As `save`, for members that have made their last step: a process may die while they are tested.

        Where it cannot be written, they are tested without it.
        """
        with suppress(OSError):
            for member in members:
                if member.weights is not None:
                    self.save(member, member.weights, {})

    def save_ended(self, member: Member) -> None:
        """Write what a member has learnt that made its last step, however old the last state is.

        Raises:
            OSError: it cannot be written.
        """
        assert member.weights is not None
        self._write(member, member.weights, {})

    def _write(self, member: Member, weights: torch.Tensor, moments: Moments) -> None:
        key = member.run.key
        save_training_state(self._store.get_state_folder(key), self._identity[key], member, weights, moments)

    def resume(self, members: Sequence[Member], weights: Weights, optimiser: Optimiser) -> list[Member]:
        """Let every member resume from the state that is on disk; gives those that do."""
        return [
            member
            for r, member in enumerate(members)
            if load_training_state(
                self._store.get_state_folder(member.run.key),
                self._identity[member.run.key],
                member,
                weights,
                r,
                optimiser,
            )
        ]


def _identify_state(prepared: PreparedRun, context: PackContext, weights: Weights) -> str:
    """The digest of everything that a state is a function of."""
    run, ids = prepared.run, prepared.used_ids
    parts = (
        "3",
        run.key,
        run.method,
        run.training.model_dump_json(),
        load_method(run.method).dump_settings(run),
        context.precision,
        context.metric,
        prepared.study.corpus.digest,
        prepared.checkpoint.digest,
        "" if ids is None else hashlib.sha256(ids.tobytes()).hexdigest(),
        str(weights.layout),
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
