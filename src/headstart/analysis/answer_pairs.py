"""Draws pairs of answers of an arm and its control to the same prompts, order and sides by chance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from headstart.config.sizes import Size
from headstart.data.judging_sheets import SheetRow
from headstart.errors import HeadstartError
from headstart.records import SCHEMA_VERSION
from headstart.seeds import make_generator
from headstart.shown import Shown
from headstart.store.answer_columns import AnsweredPrompts
from headstart.store.judging_keys import JudgingKey, PairKey, RowKey

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_NAME_LENGTH: Final = 12


@dataclass(frozen=True)
class PairSource:
    """What two arms of a study answered at one size, by seed."""

    arm: str
    control: str
    size: Size
    of_arm: Mapping[int, AnsweredPrompts]
    of_control: Mapping[int, AnsweredPrompts]

    @property
    def seeds(self) -> list[int]:
        """Those that both have."""
        return sorted(self.of_arm.keys() & self.of_control.keys())


@dataclass(frozen=True)
class DrawnSheet:
    """The rows that judges see, and the key that tells their answers apart."""

    rows: tuple[SheetRow, ...]
    key: JudgingKey


@dataclass(frozen=True, repr=False)
class JudgingSheet(Shown, view="headstart.report.views.comparison:SHEET"):
    """A sheet that was written: how many rows are to be judged, and how many pairs are the same answer.

    `seeds` are those that each prompt's one was drawn of; `key` says whose answers are whose.
    """

    path: Path
    key: Path
    sheet: str
    rows: int
    equal: int
    seeds: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        paths = {"path": str(self.path), "key": str(self.key)}
        return {"schema_version": SCHEMA_VERSION, **asdict(self), **paths}


def draw_sheet(source: PairSource, seed: int, examples: int | None, *, has_reference: bool) -> DrawnSheet:
    """Paired answers of prompts drawn by chance, each of one seed that is drawn too.

    As many first answers are the arm's as the control's, but for one. Pairs of the same answer are no row.

    Args:
        seed: of the draw.
        examples: how many prompts are drawn; all by default.

    Raises:
        HeadstartError: the arms share no seed or answered different prompts; there are fewer prompts; all
            of the answers are the same.
    """
    asked = _check_same_prompts(source)
    generator = make_generator(seed, "judging", source.arm, source.control, str(source.size))
    n_prompts = _check_examples(examples, len(asked.ids))
    places = generator.permutation(len(asked.ids))[:n_prompts]
    seeds = generator.choice(source.seeds, n_prompts)
    pairs = list(zip(places.tolist(), seeds.tolist(), strict=True))
    shown = [pair for pair in pairs if not _is_equal(source, *pair)]
    if not shown:
        raise HeadstartError(
            f"{source.arm} and {source.control} gave the same answers to all {n_prompts:,} prompts",
            where="judge",
            expected="at least one pair of different answers",
        )
    sides = generator.permutation(np.arange(len(shown)) % 2)
    rows = [
        _make_row(source, i, place, run, bool(side), has_reference)
        for i, ((place, run), side) in enumerate(zip(shown, sides, strict=True), start=1)
    ]
    keys = [
        _make_key(asked, row, *pair, "arm" if side else "control")
        for row, pair, side in zip(rows, shown, sides, strict=True)
    ]
    equal = [_make_pair_key(asked, *pair) for pair in pairs if _is_equal(source, *pair)]
    return DrawnSheet(
        tuple(rows),
        JudgingKey(
            sheet=_name_sheet(source, seed, rows),
            arm=source.arm,
            control=source.control,
            size=source.size,
            draw=seed,
            rows=tuple(keys),
            equal=tuple(equal),
        ),
    )


def _check_same_prompts(source: PairSource) -> AnsweredPrompts:
    """What both were asked, with every seed."""
    if not source.seeds:
        raise HeadstartError(
            f"{source.arm} and {source.control} have no seed in common",
            where="judge",
            expected="at least one seed with answers of both",
        )
    runs = [answered[seed] for answered in (source.of_arm, source.of_control) for seed in source.seeds]
    if len({(run.ids, run.earlier, run.prompts, run.references) for run in runs}) > 1:
        raise HeadstartError(
            f"runs of {source.arm} and {source.control} answered different prompts",
            where="judge",
            expected="the same prompts in every run",
        )
    return runs[0]


def _check_examples(examples: int | None, most: int) -> int:
    if examples is not None and not 1 <= examples <= most:
        raise HeadstartError(
            f"{examples}", where="--examples", expected=f"1 to {most:,}, the number of prompts answered"
        )
    return examples or most


def _is_equal(source: PairSource, place: int, seed: int) -> bool:
    return source.of_arm[seed].answers[place].split() == source.of_control[seed].answers[place].split()


def _make_row(
    source: PairSource, number: int, place: int, seed: int, arm_is_first: bool, has_reference: bool
) -> SheetRow:
    asked = source.of_arm[seed]
    answers = [run[seed].answers[place] for run in (source.of_arm, source.of_control)]
    first, second = answers if arm_is_first else answers[::-1]
    parts = (asked.earlier[place], asked.prompts[place])
    return SheetRow(
        row=number,
        prompt="\n".join(part for part in parts if part),
        answer_1=first,
        answer_2=second,
        reference=asked.references[place] if has_reference else None,
    )


def _make_pair_key(asked: AnsweredPrompts, place: int, seed: int) -> PairKey:
    group = None if asked.groups is None else asked.groups[place]
    return PairKey(id=asked.ids[place], seed=seed, group=group)


def _make_key(
    asked: AnsweredPrompts, row: SheetRow, place: int, seed: int, first: Literal["arm", "control"]
) -> RowKey:
    pair = _make_pair_key(asked, place, seed)
    return RowKey(**pair.model_dump(), row=row.row, first=first, digests=row.digests)


def _name_sheet(source: PairSource, seed: int, rows: Sequence[SheetRow]) -> str:
    """Letters that depend on everything in the sheet and on what it is of, and tell nothing of it."""
    told = (source.arm, source.control, source.size, seed, [row.digests for row in rows])
    number = int.from_bytes(hashlib.sha256(repr(told).encode()).digest())
    letters = []
    for _ in range(_NAME_LENGTH):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(letters)
