"""`headstart export --fairseq`: writes a RoBERTa-like model as a checkpoint that fairseq loads."""

from __future__ import annotations

from pathlib import Path

from headstart.commands.model_folders import refuse_study_folder
from headstart.commands.outputs import check_output_folder, open_output_folder
from headstart.models.fairseq.export_model import export_checkpoint
from headstart.models.fairseq.exported import ExportedCheckpoint
from headstart.models.word_folders import refuse_words
from headstart.os_faults import check_lookup


def export_fairseq(model: str | Path, target: str | Path, *, force: bool = False) -> ExportedCheckpoint:
    """Write the model in folder `model` as fairseq 0.12 would have saved it: `model.pt`, `dict.txt`, labels.

    `import_fairseq` gives the same weights again, to the bit, unless the model has learnt a token type, which
    fairseq has not: it is added to the positions.

    Example:
        headstart.export_fairseq("runs/study/models/tuned", "for-fairseq")

    Args:
        force: replace a model, or an empty folder, at `target`.

    Raises:
        ModelError: no whole model is there, or fairseq's RoBERTa cannot compute it.
        OutputError: `target` already exists.
    """
    model, target = Path(model), Path(target)
    check_lookup(target)
    refuse_study_folder(model)
    refuse_words(model)
    check_output_folder(target, force=force, sources=(model,))
    with open_output_folder(target, force=force) as folder:
        return export_checkpoint(model, folder, target)
