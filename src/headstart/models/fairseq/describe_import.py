"""Says of an imported model what was taken of its checkpoint, and what the user should know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.models.fairseq.checkpoint_parts import CheckpointParts
from headstart.models.fairseq.heads import Kind, describe_heads
from headstart.models.fairseq.imported import ImportedModel
from headstart.models.fairseq.proof import ProvenIds
from headstart.models.fairseq.weights import count_parameters, list_formats


def describe_import(
    parts: CheckpointParts, path: Path, target: Path, tokenizer: Any, proven: ProvenIds | None
) -> ImportedModel:
    """What the user is told, and what `--json` has."""
    settings, head = parts.settings, parts.head
    taken = {"body", "lm_head" if head.kind is Kind.MASKED_LM else f"head {head.name}"}
    parameters = count_parameters(parts.keys, is_tied=not settings.unties_head)
    return ImportedModel(
        path=target,
        source=path,
        settings_from=settings.source,
        arch=settings.arch,
        task=settings.task,
        family=parts.family,
        sizes=parts.sizes,
        parameters=parameters,
        heads=describe_heads(parts.keys),
        head=head.name,
        labels=parts.labels,
        label_file=parts.label_file,
        dictionary=parts.dictionary_file,
        tokenizer=None if tokenizer is None else type(tokenizer).__name__,
        dropped=parts.keys.dropped,
        left_out=tuple(part for part in parameters if part not in taken),
        notes=tuple(_list_notes(parts, proven, has_tokenizer=tokenizer is not None)),
    )


def _list_notes(parts: CheckpointParts, proven: ProvenIds | None, *, has_tokenizer: bool) -> list[str]:
    settings, head = parts.settings, parts.head
    formats = list_formats(parts.keys)
    is_unnamed = head.kind is Kind.CLASSIFIER and head.classes != 1 and parts.label_file is None
    told = (
        (head.note is not None, str(head.note)),
        (head.classes == 1, "one output: a number (problem_type regression)"),
        (is_unnamed, "no label dictionary: classes are LABEL_0, LABEL_1, ...; --labels FILE names them"),
        (
            formats != ("float32",),
            f"weights in {', '.join(formats)}, written in float32 as fairseq loads them",
        ),
        (
            settings.activation_dropout > 0,
            f"activation dropout {settings.activation_dropout:g} has no counterpart",
        ),
        (settings.layer_dropout > 0, f"layer dropout {settings.layer_dropout:g} has no counterpart"),
        (proven is not None, str(proven)),
        (not has_tokenizer, "no tokenizer written: Headstart needs one beside the model"),
    )
    return [sentence for is_so, sentence in told if is_so]
