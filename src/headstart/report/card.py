"""The model card that goes with a saved model: what it is, how it was chosen, and what it reached."""

from __future__ import annotations

from io import StringIO

from ruamel.yaml import YAML

from headstart.config.expand import grid
from headstart.config.study import Study
from headstart.records import RunRecord
from headstart.report.numbers import number

_BODY = """
# {arm}, from the study “{question}”

Tuned from `{checkpoint}` ({init}) with [Headstart](https://pypi.org/project/headstart/) {version}:
{texts} training texts, seed {seed}, epoch {epoch}.
{tuned}Of the arm's runs{there}, this is the one with the best valid {metric}; the test texts chose nothing.

| part | {metric} |
| --- | --- |
| valid | {valid} |
| test | {test} |

The test figure is this one run's. The study's `results.json` has every seed, the control arm and the
intervals: quote those.

{use}"""

_LABELS = """\
Labels: {labels}.

```python
from transformers import pipeline
pipeline("text-classification", model="THIS_FOLDER")("a text")
```
"""
_CHAT = """\
It answers prompts written by the chat template that its tokenizer has.

```python
from transformers import pipeline
pipeline("text-generation", model="THIS_FOLDER")([{"role": "user", "content": "a prompt"}])
```
"""
_ADAPTER = """\
{what}

This folder holds an adapter, not a whole model. `headstart {command}` loads it with its base, as does PEFT's
`PeftModel.from_pretrained` on a model made with this folder's `config.json`. To make it whole:
`headstart export --merge`.
"""
_PROBE = """\
Labels: {labels}.

This folder holds a linear probe, not a whole model: `headstart predict` loads it with its encoder.
"""
_PIPELINE = {"instruction": "text-generation"}


def model_card(record: RunRecord, study: Study, label_names: tuple[str, ...]) -> str:
    """The text of the README.md beside the weights of `record`'s run, with the hub's metadata block."""
    arm = study.arms[record.arm]
    assert record.valid is not None
    assert record.test is not None
    body = _BODY.format(
        arm=record.arm,
        question=study.question or "no question stated",
        checkpoint=study.model if arm.init in ("pretrained", "random") else arm.init,
        init="random weights" if arm.init == "random" else "its weights",
        version=record.provenance.headstart if record.provenance else "",
        texts=record.texts,
        seed=record.seed,
        epoch=record.best_epoch,
        tuned=_tuned(record, study),
        there=" with the setting chosen" if record.setting else "",
        metric=study.metric,
        valid=number(study.metric, record.valid[study.metric]),
        test=number(study.metric, record.test[study.metric]),
        use=_use(record, study, label_names),
    )
    return f"---\n{_metadata(study)}---\n{body}"


def _use(record: RunRecord, study: Study, label_names: tuple[str, ...]) -> str:
    """How the model is loaded and asked."""
    labels, talks = ", ".join(f"`{name}`" for name in label_names) or "a number", study.task == "instruction"
    arm = study.arms[record.arm]
    if arm.method == "probe":
        return _PROBE.format(labels=labels)
    if arm.method in ("lora", "qlora", "peft") and arm.init != "random":
        what = "It answers prompts." if talks else f"Labels: {labels}."
        return _ADAPTER.format(what=what, command="generate" if talks else "predict")
    return _CHAT if talks else _LABELS.format(labels=labels)


def _tuned(record: RunRecord, study: Study) -> str:
    """How a tuned arm came by this setting, as a sentence; nothing for other arms."""
    if not record.setting:
        return ""
    setting = " and ".join(f"{name} {value:g}" for name, value in record.setting.items())
    tried = len(grid(study, study.arms[record.arm]))
    return f"Chosen on valid: {setting}, of {tried} {'setting' if tried == 1 else 'settings'} tried.\n"


def _metadata(study: Study) -> str:
    tag = _PIPELINE.get(study.task, "text-classification")
    buffer = StringIO()
    YAML().dump({"library_name": "transformers", "pipeline_tag": tag, "tags": ["headstart"]}, buffer)
    return buffer.getvalue()
