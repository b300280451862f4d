"""`headstart import`: makes a Hugging Face folder of a fairseq checkpoint, without fairseq."""

from __future__ import annotations

from pathlib import Path

from headstart.commands.outputs import check_output_folder, open_output_folder
from headstart.models.fairseq.checkpoint_paths import find_checkpoint
from headstart.models.fairseq.import_model import import_checkpoint
from headstart.models.fairseq.import_options import ImportOptions
from headstart.models.fairseq.imported import ImportedModel
from headstart.os_faults import check_lookup


def import_fairseq(
    path: str | Path,
    target: str | Path,
    *,
    head: str | None = None,
    data: str | Path | None = None,
    labels: str | Path | None = None,
    tokenizer: str | None = None,
    family: str | None = None,
    force: bool = False,
) -> ImportedModel:
    """Write a Hugging Face folder, `target`, of a RoBERTa-like checkpoint of fairseq: whole or not at all.

    fairseq need not be installed, and nothing in the checkpoint is run. Weights are those of the file, to the
    bit, in float32; logits are fairseq's. Sources of the formulas: fairseq 0.12's `models/roberta/model.py`.

    Example:
        imported = headstart.import_fairseq("checkpoints/checkpoint_best.pt", "models/mine", data="data-bin")
        print(imported.parameters, imported.labels)

    Args:
        path: a file such as checkpoint_best.pt, or a folder with one.
        head: which head to take, `lm_head` for that of the masked language model; by default the only one for
            classification, else the lm_head.
        data: the folder of binarised data, where dict.txt, label/dict.txt and the tokenizer's files may lie;
            by default the checkpoint's own.
        labels: the label dictionary, where it lies elsewhere.
        tokenizer: sentencepiece, gpt2, fastbpe, or none; by default what the files show.
        family: roberta, camembert, gottbert or xlm-roberta; by default what the checkpoint shows.
        force: replace a model, or an empty folder, at `target`.

    Raises:
        ModelError: the checkpoint is damaged or hostile, or transformers cannot compute it; says why.
        DataError: a dictionary is damaged.
        OutputError: `target` already exists.
    """
    path, target = Path(path), Path(target)
    check_lookup(target)
    file = find_checkpoint(path)
    check_output_folder(target, force=force, sources=(file,))
    options = ImportOptions(
        head=head,
        data=None if data is None else Path(data),
        labels=None if labels is None else Path(labels),
        tokenizer=tokenizer,
        family=family,
    )
    with open_output_folder(target, force=force) as folder:
        return import_checkpoint(file, folder, target, options)
