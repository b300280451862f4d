"""The model card that goes with a saved model: what it is, how it was chosen, and what it reached."""

from __future__ import annotations

from io import StringIO
from typing import Final

from ruamel.yaml import YAML

from headstart.config.arm_settings import (
    get_checkpoint,
    get_tuning_seeds,
    list_grid_points,
    name_checkpoint,
)
from headstart.config.study import Study
from headstart.config.traits import Artifact, get_method_traits, get_task_traits
from headstart.data.markdown import escape_markdown, format_code
from headstart.records import Collapse, RunRecord
from headstart.report.collapsed import describe_collapse
from headstart.report.numbers import format_metric
from headstart.store.digests import MODEL_FOLDER
from headstart.store.model_use import INDEX_FILE
from headstart.wording import format_count, format_names

#: Names of labels that a card lists; its `config.json` has all.
_LABELS_SHOWN: Final = 200
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
without the test set.
{collapsed}
| part | {metric} |
| --- | --- |
| valid | {valid} |
| test | {test} |

The test figure is from this one run. The study's `results.json` has every seed, the control arm and the
intervals: quote those.

{use}"""

_LABELS: Final = """\
Labels: {labels}.

```python
from transformers import pipeline
pipeline("text-classification", model="THIS_FOLDER")("a text")
```
"""
_CHAT: Final = """\
It answers prompts in the chat format of its tokenizer.

```python
from transformers import pipeline
pipeline("text-generation", model="THIS_FOLDER")([{"role": "user", "content": "a prompt"}])
```
"""
_ADAPTER: Final = """\
{what}

This folder holds an adapter, not a whole model. `headstart {command}` loads it with its base, as does PEFT's
`PeftModel.from_pretrained` on a model made with this folder's `config.json`. To merge it into one model:
`headstart export`.
"""
_LOADABLE: Final = """
On the machine it was fine-tuned on, with PEFT installed, transformers loads adapter and base together:

```python
from transformers import pipeline
pipeline("{pipeline}", model="THIS_FOLDER")
```
"""
_WORDS: Final = """\
Labels: {labels}.

`headstart predict` reads this folder, without torch or transformers: `words.json` defines how texts become
features, `vocabulary.txt` has one word or word pair per line, `words.safetensors` their weights.
"""
_PROBE: Final = """\
Labels: {labels}.

This folder holds a linear probe, not a whole model: `headstart predict` loads it with its encoder.
"""


def write_model_card(
    record: RunRecord, study: Study, label_names: tuple[str, ...], collapse: Collapse | None = None
) -> str:
    """The text of the README.md beside the weights of `record`'s run, with the hub's metadata block.

    Args:
        collapse: how the run collapsed, if it did: a card says so before its figures.
    """
    assert record.valid is not None
    assert record.test is not None
    body = _BODY.format(
        arm=record.arm,
        question=escape_markdown(study.question) or "no question stated",
        made=_describe_making(record, study),
        chosen_by=_describe_choice(record, study),
        there=" at this grid point" if record.hyperparameters else "",
        collapsed=_warn_of_collapse(collapse),
        metric=study.metric,
        valid=format_metric(study.metric, record.valid[study.metric]),
        test=format_metric(study.metric, record.test[study.metric]),
        use=_describe_use(record, study, label_names),
    )
    return f"---\n{_format_metadata(record, study)}---\n{body}"


def _describe_making(record: RunRecord, study: Study) -> str:
    """What the model was tuned from, or how it was fitted, by what."""
    arm, version = study.arms[record.arm], record.provenance.headstart if record.provenance else ""
    if _find_artifact(record, study) == "words":
        is_number = get_task_traits(study.task).labels == "number"
        return _FITTED.format(
            kind="ridge regression" if is_number else "logistic regression",
            version=version,
            train_examples=record.train_examples,
            strength=float(record.resolved.get("inverse_regularisation", 1)),
        )
    return _TUNED.format(
        checkpoint=format_code(name_checkpoint(get_checkpoint(study, arm))),
        init="random weights" if arm.init == "random" else "its weights",
        version=version,
        train_examples=record.train_examples,
        seed=record.seed,
        epoch=record.best_epoch,
    )


def _warn_of_collapse(collapse: Collapse | None) -> str:
    if collapse is None:
        return ""
    found = escape_markdown(describe_collapse(collapse).removeprefix("; collapsed: "))
    return f"\n**This run collapsed and is not usable as it is:** {found}.\n"


def _describe_use(record: RunRecord, study: Study, label_names: tuple[str, ...]) -> str:
    """How the model is loaded and asked."""
    generates = get_task_traits(study.task).generates
    labels = format_names([format_code(name) for name in label_names], _LABELS_SHOWN) or "a number"
    artifact = _find_artifact(record, study)
    if artifact == "probe":
        return _PROBE.format(labels=labels)
    if artifact == "words":
        return _WORDS.format(labels=labels)
    if artifact == "adapter":
        what = "It answers prompts." if generates else f"Labels: {labels}."
        card = _ADAPTER.format(what=what, command="generate" if generates else "predict")
        is_loadable = f"{MODEL_FOLDER}/{INDEX_FILE}" in record.files
        return card + _LOADABLE.format(pipeline=get_task_traits(study.task).pipeline) * is_loadable
    return _CHAT if generates else _LABELS.format(labels=labels)


def _find_artifact(record: RunRecord, study: Study) -> Artifact:
    """What the folder holds: of an adapter over random weights, whose base is nowhere else, a whole model."""
    arm = study.arms[record.arm]
    artifact = get_method_traits(arm.method).artifact
    return "model" if artifact == "adapter" and arm.init == "random" else artifact


def _describe_choice(record: RunRecord, study: Study) -> str:
    """How a tuned arm came by this grid point, as a sentence; nothing for other arms."""
    if not record.hyperparameters:
        return ""
    values = " and ".join(f"{name} {value:g}" for name, value in record.hyperparameters.items())
    arm = study.arms[record.arm]
    tried, seeds = len(list_grid_points(study, arm)), get_tuning_seeds(study, arm)
    by = f", by the tuning seeds {', '.join(map(str, seeds))}" if seeds else ""
    return f"Chosen on valid{by}: {values}, of {format_count(tried, 'grid point')} tried.\n"


def _format_metadata(record: RunRecord, study: Study) -> str:
    pipeline = get_task_traits(study.task).pipeline
    library = "headstart" if _find_artifact(record, study) == "words" else "transformers"
    buffer = StringIO()
    YAML().dump({"library_name": library, "pipeline_tag": pipeline, "tags": ["headstart"]}, buffer)
    return buffer.getvalue()
