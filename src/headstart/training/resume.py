"""Saves training states of unfinished runs and resumes from them; another run's state is not taken."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import torch

from headstart.engine.member import Member, PackContext
from headstart.engine.optim.base import Moments, Optimiser
from headstart.engine.pack_rows import TrainingState
from headstart.engine.training_state import (
    StateMark,
    find_states,
    forget_former,
    load_training_state,
    save_training_state,
)
from headstart.engine.weights import Weights
from headstart.errors import TrainingError
from headstart.methods import load_method
from headstart.os_faults import MachineError
from headstart.prepared import PreparedRun
from headstart.store.runs import RunStore
from headstart.store.states import STATE_FILE, describe_damaged_state

#: Seconds of training that may be lost, and the share of the time that writing may take.
SAVE_INTERVAL, MAX_TIME_SHARE = 60.0, 0.05
#: The environment's word for the seconds, where they are to be others; writing then takes what time it takes.
STATE_SECONDS_VARIABLE: Final = "HEADSTART_STATE_SECONDS"


def read_save_limits() -> tuple[float, float]:
    """Seconds between two states of a run, and the share of the time that writing may take.

    Raises:
        TrainingError: the environment names seconds that are no number, or below zero.
    """
    word = os.environ.get(STATE_SECONDS_VARIABLE)
    if not word:
        return SAVE_INTERVAL, MAX_TIME_SHARE
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise TrainingError(f"{word!r} seconds", where=STATE_SECONDS_VARIABLE, expected="a number, 0 or more")
    return seconds, math.inf


class TrainingStateSaver:
    """Writes the states of a pack's members where epochs end: seldom enough not to be felt."""

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
        self._last, self._members = self._began, list[Member]()
        #: Runs that begin anew beside a whole state: of another study or version, or without its pack's.
        self.unused: frozenset[str] = frozenset()

    def save(self, going: Sequence[Member], states: Iterator[TrainingState]) -> None:
        """Write the states of those that go on, all of one step, if the last ones are old enough; and what
        those have learnt that have ended."""
        now = self._clock()
        if going and self._decide(now):
            self._write_turn(going, states)
            self._last = self._clock()
            self._spent += self._last - now

    def _decide(self, now: float) -> bool:
        """Whether to write states of those that go on."""
        return self._is_due(now)

    def _is_due(self, now: float) -> bool:
        return now - self._last >= self._interval and self._spent <= self._max_share * (now - self._began)

    def save_interrupted(self, going: Sequence[Member], states: Iterator[TrainingState]) -> None:
        """As `save`, however old the last ones are: this process is about to end.

        Where they cannot be written, the last ones are resumed from.
        """
        with suppress(MachineError):
            self._write_turn(going, states)

    def save_learnt(self) -> None:
        """As `save`, of members that have made their last step: a process may die while they are tested.

        Where it cannot be written, they are tested without it.
        """
        if self._is_due(self._clock()):
            with suppress(MachineError):
                self._write_turn([], iter(()))

    def save_ended(self, member: Member) -> None:
        """Write what a member has learnt that made its last step, however old the last state is.

        Raises:
            MachineError: it cannot be written.
        """
        self._write_ended(member, StateMark(member.steps, (member.run.key,), has_ended=True))

    def _write_turn(self, going: Sequence[Member], states: Iterator[TrainingState]) -> None:
        """Have a state of this turn of each member that has one to give; then those before may go."""
        ended = [member for member in self._members if member.weights is not None]
        keys = tuple(sorted(member.run.key for member in (*ended, *going)))
        turn = max((member.steps for member in (*ended, *going)), default=0)
        for member in ended:
            self._write_ended(member, StateMark(turn, keys, has_ended=True))
        for member, weights, moments in states:
            self._write(member, weights, moments, StateMark(turn, keys))
        for key in keys:
            forget_former(self._store.get_state_folder(key))

    def _write_ended(self, member: Member, mark: StateMark) -> None:
        assert member.weights is not None
        self._write(member, member.weights, {}, mark)

    def _write(self, member: Member, weights: torch.Tensor, moments: Moments, mark: StateMark) -> None:
        self._store.check_held()
        folder, identity = self._store.get_state_folder(member.run.key), self._identity[member.run.key]
        save_training_state(folder, identity, member, weights, moments, mark)

    def _has_whole_state(self, key: str) -> bool:
        file = self._store.get_state_folder(key) / STATE_FILE
        return file.is_file() and describe_damaged_state(self._store, key) is None

    def resume(self, members: Sequence[Member], weights: Weights, optimiser: Optimiser) -> list[Member]:
        """Let members resume from what is on disk; gives those that do."""
        self._members = list(members)
        found = {
            key: find_states(self._store.get_state_folder(key), self._identity[key]) for key in self._identity
        }
        files = choose_states(found)
        self.unused = frozenset(key for key in found if key not in files and self._has_whole_state(key))
        return [
            member
            for r, member in enumerate(members)
            if member.run.key in files
            and load_training_state(files[member.run.key], member, weights, r, optimiser)
        ]


def choose_states(found: Mapping[str, Mapping[Path, StateMark]]) -> dict[str, Path]:
    """Which file each member of a pack resumes from, by run.

    Where these were a pack before, all resume from one turn: the last of which each has a state, or none
    does. Others resume from their own last states, each where it was; they did not train together.

    Args:
        found: each member's files, the last one first.
    """
    keys = tuple(sorted(found))
    marks = [mark for files in found.values() for mark in files.values()]
    if not marks or any(mark.together != keys for mark in marks):
        return {key: next(iter(files)) for key, files in found.items() if files}
    for turn in sorted({mark.turn for mark in marks}, reverse=True):
        chosen = {key: _find_of_turn(files, turn) for key, files in found.items()}
        if None not in chosen.values():
            return {key: file for key, file in chosen.items() if file is not None}
    return {}


def _find_of_turn(files: Mapping[Path, StateMark], turn: int) -> Path | None:
    """A member's state at a turn: of one that had ended before, the last."""
    is_there = (
        file for file, mark in files.items() if mark.turn == turn or (mark.has_ended and mark.turn < turn)
    )
    return next(is_there, None)


def _identify_state(prepared: PreparedRun, context: PackContext, weights: Weights) -> str:
    """The digest of everything that a state is a function of."""
    run, ids = prepared.run, prepared.used_ids
    parts = (
        "4",
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
        *([run.base] if run.start or run.adapted else ()),
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
