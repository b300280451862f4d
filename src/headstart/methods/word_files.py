"""Writes a fitted bag of words as safetensors, JSON and a list of words, and reads it back; no pickle."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from headstart.config.traits import LabelKind
from headstart.data.corpus import Text
from headstart.errors import ModelError
from headstart.files import write_text
from headstart.machine_memory import measure_memory_limit
from headstart.methods.word_model import LEARNT, SETTINGS, LinearModel, WordModel, make_vectorizer
from headstart.models.strict_json import read_strict_json, refuse_irregular
from headstart.models.weight_files import is_pointer
from headstart.models.word_folders import WORDS_FILE

_ARRAYS_FILE: Final = "words.safetensors"
#: One word or word pair a line, in the order of the features.
_VOCABULARY_FILE: Final = "vocabulary.txt"
_FORMAT: Final = "headstart-bag-of-words"
_VERSION: Final = 1
_KINDS: Final[tuple[LabelKind, ...]] = ("class", "label-set", "number")
#: Bytes that Python takes for a word of the vocabulary besides its letters.
_WORD_BYTES: Final = 200
#: What the vectoriser takes from texts.
_TERM: Final = re.compile(r"\w\w+(?: \w\w+)?")
_FLOATS: Final = ("idf", "coef", "intercept")
_INTEGERS: Final = ("classes", "constants")


@dataclass(frozen=True)
class SavedWords:
    """A bag of words as its folder has it; `names` are those of its C classes or labels, none of numbers."""

    model: WordModel
    names: tuple[str, ...]


def save_words(model: WordModel, names: Sequence[str], folder: Path, examples: Sequence[Text]) -> None:
    """Write the model to `folder`, load it again, and compare what both give for `examples`.

    Raises:
        ModelError: the loaded model does not give the same, to the last bit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    terms = model.vectorizer.get_feature_names_out()
    settings = {
        "format": _FORMAT,
        "version": _VERSION,
        "labels": model.labels,
        "outputs": model.outputs,
        "names": list(names),
        "vectorizer": SETTINGS,
    }
    write_text(folder / WORDS_FILE, json.dumps(settings, ensure_ascii=False, indent=1) + "\n")
    write_text(folder / _VOCABULARY_FILE, "".join(f"{term}\n" for term in terms))
    linear = model.linear
    arrays = {"idf": model.vectorizer.idf_, "coef": linear.coef, "intercept": linear.intercept}
    arrays |= {"classes": linear.classes, "constants": linear.constants}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / _ARRAYS_FILE)
    _check_saved(model, folder, cast(Sequence[str], examples))


def _check_saved(model: WordModel, folder: Path, examples: Sequence[str]) -> None:
    expected, loaded = model.compute_outputs(examples), load_words(folder).model.compute_outputs(examples)
    if not np.array_equal(expected, loaded):
        gap = float(np.abs(expected - loaded).max())
        raise ModelError(
            f"the saved bag of words gives different values when loaded again: they differ by up to {gap:g}",
            where=str(folder),
        )


def load_words(folder: Path) -> SavedWords:
    """The bag of words that `save_words` left in `folder`.

    Raises:
        ModelError: a file is absent, damaged, too large, or says what the others do not.
    """
    labels, outputs, names = _read_settings(folder / WORDS_FILE)
    arrays = _read_arrays(folder / _ARRAYS_FILE)
    features = len(arrays["idf"])
    _check_shapes(folder, arrays, labels, outputs)
    vectorizer = make_vectorizer(_read_vocabulary(folder / _VOCABULARY_FILE, features))
    vectorizer.idf_ = arrays["idf"]
    linear = LinearModel(arrays["coef"], arrays["intercept"], arrays["classes"], arrays["constants"])
    return SavedWords(WordModel(labels, outputs, vectorizer, linear), names)


def _read_settings(file: Path) -> tuple[LabelKind, int, tuple[str, ...]]:
    """The kind of labels, how many outputs there are, and what they are called."""
    values = read_strict_json(file)
    if (values.get("format"), values.get("version")) != (_FORMAT, _VERSION):
        raise _refuse(
            file,
            f"is of format {str(values.get('format'))[:40]!r}, version {str(values.get('version'))[:40]}",
            f"{_FORMAT}, version {_VERSION}",
        )
    if values.get("vectorizer") != json.loads(json.dumps(SETTINGS)):
        raise _refuse(file, "has other settings of the vectoriser", "those that Headstart writes")
    labels, outputs, names = (values.get(key) for key in ("labels", "outputs", "names"))
    if labels not in _KINDS:
        raise _refuse(file, f"has labels of kind {str(labels)[:40]!r}", " or ".join(_KINDS))
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise _refuse(file, "has names that are not a list of texts", "a name for each class")
    expected = 1 if labels == "number" else len(names)
    if (
        type(outputs) is not int
        or outputs != expected
        or outputs < 1
        or len(set(names)) < len(names)
        or (labels == "number" and names)
    ):
        raise _refuse(
            file,
            f"has {len(set(names))} different names for {str(outputs)[:40]} outputs",
            "a unique name for each class, and one output without names for numbers",
        )
    return labels, outputs, tuple(names)


def _read_arrays(file: Path) -> dict[str, np.ndarray]:
    """The arrays, whose shapes the file's own size bears out before memory is taken."""
    _check_present(file)
    try:
        with safe_open(file, framework="numpy") as stream:
            _check_header(file, {name: stream.get_slice(name) for name in stream.keys()})  # noqa: SIM118
            arrays = {name: stream.get_tensor(name) for name in (*_FLOATS, *_INTEGERS)}
    except (SafetensorError, OSError) as error:
        raise _refuse(file, f"is cut or damaged: {error}", "safetensors") from error
    broken = [name for name in _FLOATS if not np.isfinite(arrays[name]).all()]
    if broken:
        raise _refuse(file, f"has values in {broken[0]} that are not finite", "numbers")
    return arrays


def _check_header(file: Path, slices: Mapping[str, Any]) -> None:
    """See that each array is there, of its number format and number of axes."""
    for name in (*_FLOATS, *_INTEGERS):
        expected = ("F64" if name in _FLOATS else "I64", 2 if name == "coef" else 1)
        if name not in slices:
            raise _refuse(file, f"has no array {name}", ", ".join((*_FLOATS, *_INTEGERS)))
        got = (str(slices[name].get_dtype()), len(slices[name].get_shape()))
        if got != expected:
            raise _refuse(
                file,
                f"has an array {name} of format {got[0]} with {got[1]} axes",
                f"{expected[0]} with {expected[1]}",
            )
    _check_memory(file, file.stat().st_size, "a smaller model")


def _check_memory(file: Path, needed: int, expected: str) -> None:
    limit = measure_memory_limit()
    if needed > limit:
        raise _refuse(file, f"needs {needed:,} bytes of memory, and this machine has {limit:,}", expected)


def _check_shapes(folder: Path, arrays: Mapping[str, np.ndarray], labels: LabelKind, outputs: int) -> None:
    """See that the arrays fit each other and the settings, with F features and K rows of coefficients."""
    coef, classes, constants = arrays["coef"], arrays["classes"], arrays["constants"]
    n_classes = len(classes)
    rows = outputs if labels != "class" else {1: 0, 2: 1}.get(n_classes, n_classes)
    shapes = (coef.shape, arrays["intercept"].shape)
    expected = ((rows, len(arrays["idf"])), (rows,))
    are_classes = 1 <= n_classes <= outputs if labels == "class" else n_classes == 0
    in_order = bool((np.diff(classes) > 0).all() and ((classes >= 0) & (classes < outputs)).all())
    has_constants = len(constants) == (outputs if labels == "label-set" else 0)
    if shapes != expected or not (are_classes and in_order and has_constants):
        raise _refuse(
            folder / _ARRAYS_FILE,
            f"has coefficients {list(shapes[0])} and intercepts {list(shapes[1])} for "
            f"{len(arrays['idf'])} words, {n_classes} classes and {len(constants)} constants",
            f"coefficients {list(expected[0])}, as {WORDS_FILE} has {outputs} outputs",
        )
    if not np.isin(constants, (LEARNT, 0, 1)).all():
        raise _refuse(folder / _ARRAYS_FILE, "has constants that are not -1, 0 or 1", "-1, 0 or 1")


def _read_vocabulary(file: Path, features: int) -> dict[str, int]:
    """The feature of each word; as many as there are features, each once."""
    _check_present(file)
    _check_memory(file, file.stat().st_size + _WORD_BYTES * features, "fewer words")
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _refuse(file, f"cannot be read: {error}", "UTF-8") from error
    terms = text.removesuffix("\n").split("\n")
    vocabulary = {term: feature for feature, term in enumerate(terms)}
    if not text.endswith("\n") or len(terms) != features or len(vocabulary) != features or "" in vocabulary:
        raise _refuse(
            file,
            f"has {len(terms):,} lines, {len(vocabulary):,} of them different, for {features:,} words",
            "one word or word pair per line, each once",
        )
    # Such as of line ends of Windows or a byte order mark, which git or an editor adds: none would be found.
    odd = next((term for term in terms if not _TERM.fullmatch(term)), None)
    if odd is not None:
        raise _refuse(
            file, f"has the line {odd[:40]!r}", "one word or word pair a line, ends as Unix has them"
        )
    return vocabulary


def _check_present(file: Path) -> None:
    refuse_irregular(file)
    if not file.is_file():
        raise _refuse(file, "is absent", f"{WORDS_FILE}, {_ARRAYS_FILE} and {_VOCABULARY_FILE}")
    if is_pointer(file):
        raise _refuse(
            file, "is a Git LFS pointer, not the file itself", "the file itself: run `git lfs pull` there"
        )


def _refuse(file: Path, got: str, expected: str) -> ModelError:
    return ModelError(
        f"{file.name} {got}", where=str(file.parent), expected=expected, fix="copy the whole folder again"
    )
