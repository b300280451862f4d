"""Says in what arms of another checkpoint differ from their control: its shape and its tokenizer too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from headstart.config.fairness import DIFFERS
from headstart.config.runs import Run
from headstart.config.study import Study
from headstart.models.checkpoints import Checkpoint
from headstart.records import StudyWarning
from headstart.wording import join_names

#: Settings of other shapes that are named where layers and width are the same.
_NAMED: Final = 3


def describe_other_checkpoints(
    study: Study, runs: Sequence[Run], checkpoints: Mapping[str, Checkpoint]
) -> Iterator[StudyWarning]:
    """A note for each arm whose network or tokenizer is another than its control's.

    Whoever compares checkpoints means it. Beside a control of random weights, which is one for its own
    architecture alone, the difference is no longer what pretraining is worth, and that is said.
    """
    control = study.control_arm
    of_arm = {run.arm: checkpoints[run.checkpoint] for run in runs}
    if control not in of_arm:
        return
    for arm, checkpoint in of_arm.items():
        differ = list(_list_differences(checkpoint, of_arm[control]))
        if differ:
            yield StudyWarning(
                kind=DIFFERS,
                message=f"{arm} differs from {control} in {join_names(['checkpoint', *differ])}: "
                f"{_explain(study, control, of_arm)}",
            )


def _explain(study: Study, control: str, of_arm: Mapping[str, Checkpoint]) -> str:
    """What the difference is of; beside a random control also how to compare checkpoints."""
    if study.arms[control].init != "random":
        return "the result is their combined effect."
    other = next((arm for arm in of_arm if study.arms[arm].init != "random"), control)
    return (
        "the result is their combined effect, not that of pretraining alone; to compare checkpoints "
        f"with each other: control: {other}, or headstart compare {study.out} --control {other}"
    )


def _list_differences(mine: Checkpoint, theirs: Checkpoint) -> Iterator[str]:
    if mine is theirs:
        return
    if mine.architecture != theirs.architecture:
        yield f"architecture ({_describe_shapes(mine, theirs)})"
    if mine.tokenizer.get_vocab() != theirs.tokenizer.get_vocab():
        yield "tokenizer"


def _describe_shapes(mine: Checkpoint, theirs: Checkpoint) -> str:
    """`6 layers, 384 wide against 12 layers, 768 wide`; of the same size which settings differ."""
    shapes = [_describe_shape(one) for one in (mine, theirs)]
    if shapes[0] and shapes[0] != shapes[1]:
        return " against ".join(shape or "another" for shape in shapes)
    of_mine, of_theirs = mine.architecture, theirs.architecture
    keys = [key for key in of_mine if of_mine[key] != of_theirs.get(key)]
    return ", ".join(f"{key} {of_mine[key]} vs {of_theirs.get(key)}" for key in keys[:_NAMED])


def _describe_shape(checkpoint: Checkpoint) -> str:
    layers, width = (getattr(checkpoint.config, name, None) for name in ("num_hidden_layers", "hidden_size"))
    return f"{layers} layers, {width} wide" if layers and width else ""
