"""Small studies and records of their runs, for tests of what is made of them; no model is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType

from headstart.analysis.findings import Findings, make_findings
from headstart.config.study import Study
from headstart.records import RunRecord, StudyWarning

#: Test accuracies by seed of each arm; None for a run that failed.
ByArm = Mapping[str, Sequence[float | None]]
#: Of the lab report: three seeds on French book reviews.
LAB: ByArm = {"pretrained": (0.815, 0.78, 0.825), "random": (0.625, 0.645, 0.635)}


def make_study(**changes: Any) -> Study:
    """A study of a pretrained and a random arm, with the random one as its control."""
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": None}
    return Study.model_validate({"data": {"path": "a.csv"}, "model": "m", "arms": arms} | changes)


def make_record(
    arm: str, seed: int, value: float | None, *, size: Any = "all", metric: str = "accuracy", **more: Any
) -> RunRecord:
    """A run that reached `value` by `metric` on valid and on test, and a loss of what is left to one.

    One that failed for None. `more` replaces what the record holds.
    """
    scores = None if value is None else {metric: value, "loss": 1 - value}
    values = {
        "arm": arm,
        "size": size,
        "seed": seed,
        "status": "failed" if value is None else "done",
        "train_examples": 8 if size == "all" else size,
        "valid": scores,
        "test": scores,
        "error": "loss nan" if value is None else None,
    }
    return RunRecord.model_validate(values | more)


def findings_of(by_arm: ByArm = LAB, *warnings: StudyWarning, **changes: Any) -> Findings:
    """The findings of a study of these arms, at its last size; `changes` are the study's."""
    arms = {arm: {"init": "random"} if arm == "random" else {} for arm in by_arm} | {"words": None}
    study = make_study(**({"arms": arms, "seeds": max(map(len, by_arm.values()))} | changes))
    records = [
        make_record(arm, seed, value, size=study.sizes[-1])
        for arm, values in by_arm.items()
        for seed, value in enumerate(values)
    ]
    return make_findings(study, records, warnings)


def rendered_lines(renderable: RenderableType, width: int = 200) -> list[str]:
    """What a terminal of this width shows, with single spaces and without the rules between columns."""
    stream = StringIO()
    Console(file=stream, width=width).print(renderable)
    return [" ".join(line.replace("│", " ").split()) for line in stream.getvalue().splitlines()]
