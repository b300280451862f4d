"""Says of a study's adapted arms which texts they read, for a plan and the results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headstart.config.adapt_section import Adapt
from headstart.config.arm_settings import is_adapted
from headstart.config.runs import Run
from headstart.config.study import Study
from headstart.data.corpus import Corpus
from headstart.records import StudyWarning
from headstart.wording import format_count, format_names, join_names


def describe_adaptation(runs: Iterable[Run], study: Study, corpus: Corpus) -> Iterator[StudyWarning]:
    """What adapted arms read, or that `adapt` was set for none, for a plan and the results."""
    if study.adapt != Adapt() and not any(map(is_adapted, study.arms.values())):
        yield StudyWarning(
            kind="adapted",
            message="adapt: has no effect, as no arm has init: adapted; give one of the arms init: adapted, "
            "or leave the section out",
        )
    adapted = [run for run in runs if run.adapted]
    if not adapted:
        return
    arms, seeds = (dict.fromkeys(getattr(run, key) for run in adapted) for key in ("arm", "seed"))
    examples = format_count(len(corpus.parts["train"]), "training example")
    more = f" and the texts of {format_names(study.adapt.text)}" if study.adapt.text else ""
    sizes = "" if study.sizes == ("all",) else "; sizes count labels, not texts"
    yield StudyWarning(
        kind="adapted",
        message=f"{join_names(list(arms))}: first pretrained on all {examples}{more}, without labels, for "
        f"{study.adapt.length}, once a seed "
        f"({format_count(len(seeds), 'seed')}){sizes}",
    )
