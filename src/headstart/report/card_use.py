"""How a model card says that its model is loaded and asked, by what the folder holds."""

from __future__ import annotations

import re
from typing import Final

from headstart.config.study import Study
from headstart.config.traits import get_task_traits
from headstart.data.markdown import format_code
from headstart.records import RunRecord
from headstart.report.card_metadata import find_artifact
from headstart.store.digests import MODEL_FOLDER
from headstart.store.model_use import INDEX_FILE
from headstart.wording import format_names

#: Names of labels that a card lists; its `config.json` has all.
_LABELS_SHOWN: Final = 200
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
_MERGED: Final = """\
This folder holds the adapter merged with its base: one whole model, which loads without PEFT.

```python
from transformers import pipeline
pipeline("{pipeline}", model="THIS_FOLDER")({example})
```
"""
_CHAT_EXAMPLE: Final = '[{"role": "user", "content": "a prompt"}]'
#: In a card of an adapter: what is said of it, and its lines for the hub.
_ADAPTER_PART: Final = re.compile(
    r"This folder holds an adapter, not a whole model\..*?`headstart export`\.\n"
    r"(\nOn the machine it was fine-tuned on.*?```python\n.*?\n```\n)?",
    re.DOTALL,
)
_ADAPTER_LINES: Final = {
    "library_name: peft\n": "library_name: transformers\n",
    "base_model_relation: adapter\n": "base_model_relation: finetune\n",
}


def describe_use(record: RunRecord, study: Study, label_names: tuple[str, ...]) -> str:
    """How the model is loaded and asked."""
    generates = get_task_traits(study.task).generates
    labels = format_names([format_code(name) for name in label_names], _LABELS_SHOWN) or "a number"
    artifact = find_artifact(record, study)
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


def describe_merged(card: str, *, generates: bool) -> str:
    """An adapter's card, as that of the whole model that the adapter and its base were merged into.

    What else stands in it, somebody's own words too, stays.
    """
    head, mark, body = card.partition("\n---\n")
    for line, changed in _ADAPTER_LINES.items():
        head = f"{head}\n".replace(line, changed).removesuffix("\n")
    whole = _MERGED.format(
        pipeline="text-generation" if generates else "text-classification",
        example=_CHAT_EXAMPLE if generates else '"a text"',
    )
    return head + mark + _ADAPTER_PART.sub(lambda _: whole, body, count=1)
