"""The model card of a pretrained language model, as Markdown."""

from __future__ import annotations

from headstart.records.pretraining import PretrainingRecord
from headstart.report.pretrain import describe_result


def make_pretraining_card(record: PretrainingRecord) -> str:
    """What it was trained on, how, and what is known of it; no claim beyond the record."""
    task = record.settings["task"]
    training = record.settings["training"]
    pipeline = "fill-mask" if task == "masked-lm" else "text-generation"
    lines = [
        "---",
        "library_name: transformers",
        f"pipeline_tag: {pipeline}",
        "tags: [headstart]",
        "---",
        "",
        "# A pretrained language model",
        "",
        f"Trained by Headstart {record.versions['headstart']} for {task} on {record.tokens:,} tokens "
        f"in blocks of {training['block']}: {record.steps:,} steps of "
        f"{training['batch_size'] * training['accumulation']} blocks, seed {record.settings['seed']}.",
        "",
        *(f"- {line}" for line in describe_result(record)),
        "",
        "The text that it was trained on is known by its digest alone: "
        f"`{record.train_digest[:16]}`. What it says reflects that text. "
        "It was not tested beyond the figures above.",
        "",
    ]
    return "\n".join(lines)
