"""The study file's `parallel` as a frozen type: how several devices train one model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from headstart.config.limits import MOST_RANKS
from headstart.config.section import Section
from headstart.config.traits import get_method_traits

if TYPE_CHECKING:
    from headstart.config.study import Study

ParallelKind = Literal["ddp", "fsdp"]

#: Methods whose runs can be shared out. Beside them go those that train nothing by steps, in one process.
_METHODS: Final = ("full", "lora")


def _check_processes(value: int | str) -> int | str:
    """At least two: one process is a study without the section."""
    if isinstance(value, int) and not 2 <= value <= MOST_RANKS:
        raise ValueError(f"'auto', or 2 to {MOST_RANKS:,} expected, got {value}")
    return value


class Parallel(Section):
    """One model trained by several processes, each on a device of its own."""

    kind: ParallelKind = Field(
        description="ddp: each process holds the whole model; fsdp: each holds its part of the weights, "
        "gradients and moments."
    )
    processes: Annotated[int | Literal["auto"], AfterValidator(_check_processes)] = Field(
        default="auto",
        description="Processes that train one model; auto: one per GPU, or those of torchrun.",
    )
    timeout: float = Field(
        default=600.0,
        gt=0,
        le=86_400,
        description="Seconds that a process waits for the others before the run fails.",
    )


def wrap_kind(value: Any) -> Any:
    """A kind alone as the section with that kind."""
    return {"kind": value} if isinstance(value, str) else value


def find_parallel_problems(study: Study) -> Iterator[str]:
    """What cannot be beside `parallel`, as lines of `key: message`."""
    if study.parallel is None:
        return
    kind = study.parallel.kind
    if study.pack not in ("auto", 1):
        yield f"pack: {study.pack} runs as one cannot be shared out (parallel: {kind}); 1 or auto expected"
    if study.workers not in ("auto", 1):
        yield (
            f"workers: one model trains at a time with parallel: {kind}, so 1 or auto expected, got "
            f"{study.workers}; parallel.processes says how many processes train it"
        )
    for name, arm in study.arms.items():
        traits = get_method_traits(arm.method)
        if (traits.has_steps and arm.method not in _METHODS) or traits.is_tiny:
            known = " or ".join(_METHODS)
            yield f"arms.{name}.method: {arm.method} does not go with parallel: {kind}; {known} expected"
        if traits.has_checkpoint and arm.init == "adapted":
            yield f"arms.{name}.init: adapted does not go with parallel: {kind}: one process pretrains it"
