"""`headstart export STUDY --fairseq`: writes a study's examples as fairseq's binarised data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from headstart.commands.outputs import check_output_folder, open_output_folder
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.data.checks import load_corpus
from headstart.data.corpus import Part
from headstart.data.fairseq.corpus_folder import write_corpus
from headstart.data.fairseq.dictionary import SPECIALS, Dictionary, make_dictionary
from headstart.data.special_tokens import encode_as_text
from headstart.errors import HeadstartError, ModelError
from headstart.models.checkpoints import resolve_location
from headstart.models.tokenizers import read_tokenizer
from headstart.os_faults import check_lookup
from headstart.records import SCHEMA_VERSION
from headstart.stages import tell_stage

#: Tasks that fairseq's sentence prediction has.
_TASKS = ("classification", "regression")


@dataclass(frozen=True)
class ExportedData:
    """A folder that was written: examples of each part, and how many pieces are `<unk>`."""

    path: Path
    examples: dict[Part, int]
    pieces: int
    unknown: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        counts = {"examples": dict(self.examples), "pieces": self.pieces, "unknown": self.unknown}
        return {"schema_version": SCHEMA_VERSION, "path": str(self.path), **counts}


def export_fairseq_data(
    study: str | Path | Study, target: str | Path, *, force: bool = False
) -> ExportedData:
    """Write the examples of a study, divided as it divides them, to folder `target` for fairseq.

    Ids are those of the tokenizer of the study's model, and `input0/dict.txt` its tokens: it has to come from
    fairseq. `data: {fairseq: TARGET}` reads the same texts, as the tokenizer normalises them.

    Example:
        headstart.export_fairseq_data("study.yaml", "books-bin")

    Args:
        force: replace a model, or an empty folder, at `target`.

    Raises:
        StudyError, DataError: the study, or its data, cannot be used, or have no form in fairseq.
        ModelError: the tokenizer's ids are not laid out as fairseq's.
        OutputError: `target` already exists.
    """
    study, target = study if isinstance(study, Study) else load_study(study), Path(target)
    check_lookup(target)
    check_output_folder(target, force=force, sources=(Path(study.model),))
    if study.task not in _TASKS:
        raise HeadstartError(
            f"task {study.task}", where="task", expected=f"{' or '.join(_TASKS)}, which fairseq's data hold"
        )
    tokenizer = read_tokenizer(resolve_location(study.model), study.model)
    dictionary = _make_dictionary(tokenizer, study.model)
    tell_stage("reading the data")
    corpus = load_corpus(study)
    tell_stage(f"writing {target}")
    with open_output_folder(target, force=force) as folder:
        counts = write_corpus(corpus, folder, partial(encode_as_text, tokenizer), dictionary)
    sizes = {part: len(examples) for part, examples in corpus.parts.items()}
    return ExportedData(target, sizes, counts.total(), counts[dictionary.unk])


def _make_dictionary(tokenizer: Any, model: str) -> Dictionary:
    tokens = [str(token) for token in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))]
    expected = f"{', '.join(SPECIALS)} first and <mask> last, as a checkpoint from fairseq has them"
    if tuple(tokens[: len(SPECIALS)]) != SPECIALS:
        raise ModelError(
            f"its first tokens are {', '.join(tokens[: len(SPECIALS)])}", where=model, expected=expected
        )
    if any("Ġ" in token for token in tokens):
        raise ModelError(
            "a byte-level tokenizer, whose tokens fairseq's data hold as numbers of its encoder.json",
            where=model,
            expected="one of SentencePiece or fastBPE",
            fix="encode the texts by fairseq's multiprocessing_bpe_encoder, then fairseq-preprocess",
        )
    return make_dictionary(tokens)
