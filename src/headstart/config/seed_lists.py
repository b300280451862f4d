"""The study file's seeds as types: a count or a list; a count for tuning begins far from those that judge."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from headstart.config.limits import MOST_SEEDS, Seed, check_seed_count

#: The first of the seeds that a count of `tune.seeds` stands for: far from a study's own, which grow from 0.
FIRST_TUNING_SEED: Final = 1000


def _expand_seed_count(value: Any) -> Any:
    """A count n stands for the seeds 0 to n-1."""
    if isinstance(value, int) and not isinstance(value, bool):
        return tuple(range(check_seed_count(value)))
    return value


def _expand_tuning_seeds(value: Any) -> Any:
    """A count n stands for n seeds from `FIRST_TUNING_SEED`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return tuple(range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + check_seed_count(value)))
    if isinstance(value, str) and value != "shared":
        raise ValueError(f"a count, a list of seeds, or shared expected, got {value!r}")
    return value


_SeedList = Annotated[tuple[Seed, ...], Field(max_length=MOST_SEEDS)]
Seeds = Annotated[_SeedList, BeforeValidator(_expand_seed_count, json_schema_input_type=int | list[int])]
TuningSeeds = Annotated[
    _SeedList | Literal["shared"],
    BeforeValidator(_expand_tuning_seeds, json_schema_input_type=int | list[int] | Literal["shared"]),
]
