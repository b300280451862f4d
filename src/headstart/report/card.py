"""The model card that goes with a saved model: what it is, how it was chosen, and what it reached."""

from __future__ import annotations

from io import StringIO

from ruamel.yaml import YAML

from headstart.config.expand import grid
from headstart.config.study import Study
from headstart.records import RunRecord
from headstart.report.findings import number

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

Labels: {labels}.

```python
from transformers import pipeline
pipeline("text-classification", model="THIS_FOLDER")("a text")
```
"""


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
        labels=", ".join(f"`{name}`" for name in label_names) or "a number",
    )
    return f"---\n{_metadata()}---\n{body}"


def _tuned(record: RunRecord, study: Study) -> str:
    """How a tuned arm came by this setting, as a sentence; nothing for other arms."""
    if not record.setting:
        return ""
    setting = " and ".join(f"{name} {value:g}" for name, value in record.setting.items())
    tried = len(grid(study, study.arms[record.arm]))
    return f"Chosen on valid: {setting}, of {tried} {'setting' if tried == 1 else 'settings'} tried.\n"


def _metadata() -> str:
    buffer = StringIO()
    YAML().dump(
        {"library_name": "transformers", "pipeline_tag": "text-classification", "tags": ["headstart"]}, buffer
    )
    return buffer.getvalue()
