"""The model card that goes with a saved model: what it is, how it was chosen, and what it reached."""

from __future__ import annotations

from typing import Final

from headstart.analysis.findings import Findings
from headstart.config.arm_settings import (
    get_checkpoint,
    get_tuning_seeds,
    list_grid_points,
    name_checkpoint,
)
from headstart.config.study import Arm, Study
from headstart.config.traits import get_method_traits, get_task_traits
from headstart.data.markdown import escape_markdown, format_code
from headstart.models.base_card import BaseCard
from headstart.records import Collapse, RunRecord
from headstart.report.card_findings import describe_findings_of
from headstart.report.card_metadata import find_artifact, format_metadata, name_data
from headstart.report.card_use import describe_use
from headstart.report.collapsed import describe_collapse
from headstart.report.numbers import format_metric
from headstart.wording import cut_text, format_count

#: Characters of the study's question in the title.
_LONGEST_QUESTION: Final = 500
_TUNED: Final = """\
Fine-tuned from {checkpoint} ({init}) with Headstart {version}:
{train_examples} training examples, seed {seed}, epoch {epoch}."""
_FITTED: Final = """\
A bag of words: TF-IDF of words and word pairs, with {kind}, fitted by scikit-learn with
Headstart {version}: {train_examples} training examples,
inverse regularisation strength {strength:g}."""
_BODY: Final = """
# {arm}, from the study “{question}”

{made}
{chosen_by}Of the arm's runs{there}, this is the one with the best valid {metric}; it was chosen
without the test set. Data: {data}.
{collapsed}
## Results

| part | {metric} |
| --- | --- |
| valid | {valid} |
| test | {test} |

The test figure is from this one run. The study's `results.json` has every seed, the control arm and the
intervals: quote those.

## The arm in its study

{findings}
## Use

{use}
## Limits

{limits}
## License

{license}
"""
_LICENSED: Final = (
    "`{name}`, which {checkpoint} states as its own. See whether the training data allow it too."
)
_UNLICENSED: Final = """\
Not stated{why}. Before others use the model, add a line such as `license: apache-2.0` to the block at the
top of this file."""


def write_model_card(
    record: RunRecord,
    study: Study,
    label_names: tuple[str, ...],
    collapse: Collapse | None = None,
    *,
    base: BaseCard | None = None,
    findings: Findings | None = None,
) -> str:
    """The text of the README.md beside the weights of `record`'s run, with the hub's metadata block.

    Args:
        collapse: how the run collapsed, if it did: a card says so before its figures.
        base: what the card of the base checkpoint states.
        findings: of the whole study, once it has ended.
    """
    assert record.valid is not None
    assert record.test is not None
    base = base or BaseCard()
    body = _BODY.format(
        arm=record.arm,
        question=escape_markdown(cut_text(study.question, _LONGEST_QUESTION)) or "no question stated",
        made=_describe_making(record, study),
        chosen_by=_describe_choice(record, study),
        there=" at this grid point" if record.hyperparameters else "",
        data=format_code(name_data(study)),
        collapsed=_warn_of_collapse(collapse),
        metric=study.metric,
        valid=format_metric(study.metric, record.valid[study.metric]),
        test=format_metric(study.metric, record.test[study.metric]),
        findings=describe_findings_of(record, findings),
        use=describe_use(record, study, label_names),
        limits=_list_limits(record, study),
        license=_describe_license(record, study, base),
    )
    return f"---\n{format_metadata(record, study, base)}---\n{body}"


def _list_limits(record: RunRecord, study: Study) -> str:
    """What the figures do not cover, a line each."""
    length = record.resolved.get("max_length")
    lines = [
        "The figures hold for texts like those of the test part: nothing was measured on other sources, "
        "languages, or groups of people.",
        f"Of a longer text the model reads {length} tokens." if length else "",
        "A model may repeat what it, or its base, was trained on."
        if get_task_traits(study.task).generates
        else "",
    ]
    return "".join(f"- {line}\n" for line in lines if line)


def _describe_license(record: RunRecord, study: Study, base: BaseCard) -> str:
    arm = study.arms[record.arm]
    has_base = get_method_traits(arm.method).has_checkpoint
    checkpoint = format_code(name_checkpoint(get_checkpoint(study, arm)))
    if base.license:
        return _LICENSED.format(name=base.license, checkpoint=checkpoint)
    return _UNLICENSED.format(why=f": no card of {checkpoint} was found that states one" if has_base else "")


def _describe_making(record: RunRecord, study: Study) -> str:
    """What the model was tuned from, or how it was fitted, by what."""
    arm, version = study.arms[record.arm], record.provenance.headstart if record.provenance else ""
    if find_artifact(record, study) == "words":
        is_number = get_task_traits(study.task).labels == "number"
        return _FITTED.format(
            kind="ridge regression" if is_number else "logistic regression",
            version=version,
            train_examples=record.train_examples,
            strength=float(record.resolved.get("inverse_regularisation", 1)),
        )
    return _TUNED.format(
        checkpoint=format_code(name_checkpoint(get_checkpoint(study, arm))),
        init=_describe_start(arm),
        version=version,
        train_examples=record.train_examples,
        seed=record.seed,
        epoch=record.best_epoch,
    )


def _describe_start(arm: Arm) -> str:
    """Which weights a model began with, of the checkpoint that is named beside it."""
    if isinstance(arm.init, str):
        if arm.init == "adapted":
            return "its weights, first pretrained on the training examples without their labels"
        return "random weights" if arm.init == "random" else "its weights"
    if arm.init.keep:
        return f"{arm.init} of its weights, the rest random"
    if arm.init.shuffle:
        return "its weights, each matrix shuffled"
    return "random weights, with word embeddings from the training examples"


def _warn_of_collapse(collapse: Collapse | None) -> str:
    if collapse is None:
        return ""
    found = escape_markdown(describe_collapse(collapse).removeprefix("; collapsed: "))
    return f"\n**This run collapsed and is not usable as it is:** {found}.\n"


def _describe_choice(record: RunRecord, study: Study) -> str:
    """How a tuned arm came by this grid point, as a sentence; nothing for other arms."""
    if not record.hyperparameters:
        return ""
    values = " and ".join(f"{name} {value:g}" for name, value in record.hyperparameters.items())
    arm = study.arms[record.arm]
    tried, seeds = len(list_grid_points(study, arm)), get_tuning_seeds(study, arm)
    by = f", by the tuning seeds {', '.join(map(str, seeds))}" if seeds else ""
    return f"Chosen on valid{by}: {values}, of {format_count(tried, 'grid point')} tried.\n"
