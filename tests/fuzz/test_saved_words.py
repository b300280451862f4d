"""A saved bag of words with a file edited: opened, predicted with, and refused where a network is wanted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save

from fuzzing import is_unlimited, own_folder, run_to_end
from headstart.commands.export import export
from headstart.commands.params import params
from headstart.commands.predict import open_predictor
from headstart.data.corpus import Examples
from headstart.methods.bag_of_words import fit_path
from headstart.methods.word_files import save_words
from headstart.store.model_notes import ModelNotes, write_model_notes
from odd_values import edited_json, mutated_bytes, texts
from word_texts import LABELS, TEXTS

ASKED = ("a good film", "", "\x1b[31m\u202e", "\0", "東京 odd", "a" * 300, "\udcff")
TASKS = {"class": "classification", "label-set": "multi-label", "number": "regression"}
KINDS = st.sampled_from(sorted(LABELS))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a saved bag of words for each kind of labels, with our notes and a card."""
    folder = tmp_path_factory.mktemp("saved")
    for kind, labels in LABELS.items():
        names = () if kind == "number" else ("n", "p", "odd")
        examples = Examples(TEXTS, labels, list(range(len(TEXTS))))
        save_words(fit_path(examples, kind, len(names) or 1)[3][1], names, folder / kind, TEXTS)
        write_model_notes(folder / kind, ModelNotes(task=TASKS[kind], method="bag-of-words"))
        (folder / kind / "README.md").write_text("# A card\n", encoding="utf-8")
    return folder


@contextmanager
def copied(model: Path) -> Iterator[Path]:
    """A copy of a model's folder, alone in another one, which is removed."""
    with own_folder() as folder:
        shutil.copytree(model, folder / "words")
        yield folder / "words"


def use(model: Path, folder: Path) -> None:
    """Ask what takes a model's folder, with what lies there."""
    predictor = run_to_end(open_predictor, model, folder=folder)
    if predictor is not None:
        run_to_end(predictor.predict, ASKED)
    run_to_end(export, model, folder / "whole", folder=folder)
    run_to_end(params, model, folder=folder)


@settings(max_examples=200 if is_unlimited() else 20)
@given(data=st.data(), kind=KINDS)
def test_edited_files(saved: Path, data: st.DataObject, kind: str) -> None:
    with copied(saved / kind) as copy:
        file = copy / data.draw(st.sampled_from(sorted(file.name for file in copy.iterdir())))
        file.write_bytes(data.draw(edited_json(file.read_bytes())))
        use(copy, copy.parent)


@settings(max_examples=200 if is_unlimited() else 20)
@given(data=st.data(), kind=KINDS)
def test_edited_headers_of_arrays(saved: Path, data: st.DataObject, kind: str) -> None:
    with copied(saved / kind) as copy:
        file = copy / "words.safetensors"
        whole = file.read_bytes()
        end = 8 + int.from_bytes(whole[:8], "little")
        header = data.draw(edited_json(whole[8:end]))
        file.write_bytes(len(header).to_bytes(8, "little") + header + whole[end:])
        use(copy, copy.parent)


@st.composite
def edited_arrays(draw: st.DrawFn, file: Path) -> bytes:
    """The arrays with one of another shape, number format or of odd values, in a file that is well-formed."""
    arrays = load_file(file)
    name = draw(st.sampled_from(sorted(arrays)))
    odd = st.sampled_from((0, 1, -1, 2, 7, -(1 << 63), (1 << 63) - 1, 1e308, -1e308, 1e-320, np.nan, np.inf))
    shape = draw(st.one_of(st.just(arrays[name].shape), st.lists(st.integers(0, 9), max_size=3).map(tuple)))
    kind = draw(
        st.sampled_from((arrays[name].dtype, np.dtype("f8"), np.dtype("i8"), np.dtype("f4"), np.dtype("u1")))
    )
    count = int(np.prod(shape, dtype=int))
    values = draw(st.lists(odd, min_size=1, max_size=4))
    with np.errstate(all="ignore"):
        arrays[name] = np.resize(np.array(values, np.float64), count).astype(kind).reshape(shape)
    return save({one: np.ascontiguousarray(array) for one, array in arrays.items()})


@settings(max_examples=200 if is_unlimited() else 20)
@given(data=st.data(), kind=KINDS)
def test_odd_arrays(saved: Path, data: st.DataObject, kind: str) -> None:
    with copied(saved / kind) as copy:
        file = copy / "words.safetensors"
        file.write_bytes(data.draw(edited_arrays(file)))
        use(copy, copy.parent)


@settings(max_examples=200 if is_unlimited() else 20)
@given(data=st.data(), kind=KINDS)
def test_odd_vocabularies(saved: Path, data: st.DataObject, kind: str) -> None:
    with copied(saved / kind) as copy:
        file = copy / "vocabulary.txt"
        terms = file.read_text(encoding="utf-8").split("\n")
        for _ in range(data.draw(st.integers(1, 3))):
            terms[data.draw(st.integers(0, len(terms) - 1))] = data.draw(texts())
        content = "\n".join(terms).encode("utf-8", "surrogatepass")
        file.write_bytes(data.draw(st.one_of(st.just(content), mutated_bytes(content))))
        names = json.dumps(data.draw(st.lists(texts(), min_size=1, max_size=3)))
        settings_file = copy / "words.json"
        changed = json.loads(settings_file.read_text(encoding="utf-8")) | {"names": json.loads(names)}
        settings_file.write_text(json.dumps(changed), encoding="utf-8")
        use(copy, copy.parent)
