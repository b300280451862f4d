"""A saved bag of words gives what the fitted one gave; what is broken in its folder ends in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from headstart.commands.predict import open_predictor, predict
from headstart.config.traits import LabelKind
from headstart.data.corpus import Examples
from headstart.errors import ModelError
from headstart.methods import word_files
from headstart.methods.bag_of_words import fit_path
from headstart.methods.word_files import load_words, save_words
from headstart.methods.word_model import WordModel
from headstart.stages import listen_to_stages
from word_texts import LABELS, TEXTS

NAMES: dict[LabelKind, tuple[str, ...]] = {
    "class": ("n", "p", "odd"),
    "label-set": ("a", "b", "c"),
    "number": (),
}


def fit(kind: LabelKind = "class", labels: np.ndarray | None = None) -> WordModel:
    labels = LABELS[kind] if labels is None else labels
    examples = Examples(TEXTS, labels, list(range(len(TEXTS))))
    return fit_path(examples, kind, 1 if kind == "number" else 3)[3][1]


def saved(folder: Path, kind: LabelKind = "class") -> Path:
    save_words(fit(kind), NAMES[kind], folder, TEXTS)
    return folder


@pytest.mark.parametrize("kind", list(LABELS))
def test_what_is_read_gives_what_was_fitted_to_the_last_bit(kind: LabelKind, tmp_path: Path) -> None:
    loaded = load_words(saved(tmp_path, kind))
    others = [*TEXTS, "", "bad odd good words", "東京"]
    assert np.array_equal(loaded.model.compute_outputs(others), fit(kind).compute_outputs(others))
    assert (loaded.names, loaded.model.labels) == (NAMES[kind], kind)
    assert loaded.model.parameters == fit(kind).parameters


@pytest.mark.parametrize("classes", [1, 2])
def test_few_classes_of_many_come_back_too(classes: int, tmp_path: Path) -> None:
    model = fit(labels=np.array([2, 0, 2, 0, 2, 0, 2, 0]) if classes == 2 else np.full(8, 2))
    save_words(model, NAMES["class"], tmp_path, TEXTS)
    outputs = load_words(tmp_path).model.compute_outputs(TEXTS)
    assert np.array_equal(outputs, model.compute_outputs(TEXTS))
    assert (outputs[:, 1] == 0).all()


def test_predictions_are_probabilities_and_their_likeliest_class(tmp_path: Path) -> None:
    rows = open_predictor(saved(tmp_path)).predict(TEXTS)
    outputs = fit().compute_outputs(TEXTS)
    assert [[row[f"p_{name}"] for name in NAMES["class"]] for row in rows] == outputs.tolist()
    assert [row["predicted"] for row in rows] == [NAMES["class"][i] for i in outputs.argmax(1)]


@pytest.mark.parametrize(
    ("kind", "header"), [("label-set", "predicted,p_a,p_b,p_c"), ("number", "predicted")]
)
def test_tables_of_all_tasks_are_labelled(kind: LabelKind, header: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "words", kind)
    (tmp_path / "in.csv").write_text("text\n" + "\n".join(TEXTS) + "\n", encoding="utf-8")
    assert predict(folder, tmp_path / "in.csv", tmp_path / "out.csv") == len(TEXTS)
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[0] == f"text,{header}"


def test_a_model_that_comes_back_otherwise_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = fit(labels=np.array([0, 1, 0, 1, 0, 1, 2, 0]))
    monkeypatch.setattr(word_files, "load_words", lambda _: word_files.SavedWords(other, NAMES["class"]))
    with pytest.raises(ModelError, match="gives different values when loaded again"):
        save_words(fit(), NAMES["class"], tmp_path, TEXTS)


def edit_json(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        values = json.loads((folder / "words.json").read_text("utf-8"))
        (folder / "words.json").write_text(json.dumps(values | changes), encoding="utf-8")

    return edit


def edit_array(name: str, make: Callable[[np.ndarray], np.ndarray | None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        arrays = load_file(folder / "words.safetensors")
        made = make(arrays.pop(name))
        arrays |= {} if made is None else {name: np.ascontiguousarray(made)}
        save_file(arrays, folder / "words.safetensors")

    return edit


def edit_bytes(name: str, make: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / name).write_bytes(make((folder / name).read_bytes()))

    return edit


def set_first(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def make(array: np.ndarray) -> np.ndarray:
        array.flat[0] = value
        return array

    return make


ABSURD = json.dumps(
    {"coef": {"dtype": "F64", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 1 << 63]}}
).encode()
BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "another format": (edit_json(format="skops"), "words.json is of format 'skops', version 1"),
    "a later version": (edit_json(version=2), "version 2"),
    "other settings": (edit_json(vectorizer={"token_pattern": "(a+)+$"}), "other settings of the vectoriser"),
    "another kind": (edit_json(labels="poem"), "labels of kind 'poem'"),
    "names that are none": (edit_json(names={"a": 1}), "names that are not a list of texts"),
    "too few names": (edit_json(names=["n", "p"]), "2 different names for 3 outputs"),
    "a name twice": (edit_json(names=["n", "n", "p"]), "2 different names for 3 outputs"),
    "absurd outputs": (edit_json(outputs=10**30), "3 different names for 1000"),
    "names for numbers": (edit_json(labels="number", outputs=1), "3 different names for 1 outputs"),
    "no JSON": (edit_bytes("words.json", lambda _: b"{"), "words.json cannot be read"),
    "no arrays": (lambda folder: (folder / "words.safetensors").unlink(), "words.safetensors is absent"),
    "cut arrays": (
        edit_bytes("words.safetensors", lambda old: old[:-9]),
        "words.safetensors is cut or damaged",
    ),
    "empty arrays": (edit_bytes("words.safetensors", lambda _: b""), "words.safetensors is cut or damaged"),
    "absurd sizes": (
        edit_bytes("words.safetensors", lambda _: len(ABSURD).to_bytes(8, "little") + ABSURD),
        "words.safetensors is cut or damaged",
    ),
    "a pickle": (edit_bytes("words.safetensors", lambda _: b"\x80\x04K\x01."), "is cut or damaged"),
    "a pointer": (
        edit_bytes("words.safetensors", lambda _: b"version https://git-lfs.github.com/spec/v1\noid"),
        "Git LFS pointer",
    ),
    "nan": (edit_array("coef", set_first(np.nan)), "values in coef that are not finite"),
    "infinity": (edit_array("idf", set_first(np.inf)), "values in idf that are not finite"),
    "an array too few": (edit_array("intercept", lambda _: None), "has no array intercept"),
    "another number format": (
        edit_array("coef", lambda old: old.astype(np.float32)),
        "format F32 with 2 axes",
    ),
    "other axes": (edit_array("coef", lambda old: old.ravel()), "format F64 with 1 axes"),
    "a class too few": (edit_array("classes", lambda old: old[:2]), "has coefficients"),
    "a class out of range": (edit_array("classes", set_first(-1)), "has coefficients"),
    "a row too few": (edit_array("coef", lambda old: old[:2]), "has coefficients [2, "),
    "a word too few": (edit_array("idf", lambda old: old[1:]), "has coefficients"),
    "constants of classes": (edit_array("constants", lambda _: np.ones(3, np.int64)), "3 constants"),
    "no vocabulary": (lambda folder: (folder / "vocabulary.txt").unlink(), "vocabulary.txt is absent"),
    "a cut vocabulary": (edit_bytes("vocabulary.txt", lambda old: old[:-7]), "vocabulary.txt has"),
    "a word twice": (
        edit_bytes("vocabulary.txt", lambda old: old.replace(b"book\n", b"bad\n", 1)),
        "different",
    ),
    "another encoding": (
        edit_bytes("vocabulary.txt", lambda _: b"\xff\xfe"),
        "vocabulary.txt cannot be read",
    ),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_what_is_broken_ends_in_one_sentence(name: str, tmp_path: Path) -> None:
    breaks, message = BROKEN[name]
    breaks(saved(tmp_path))
    with pytest.raises(ModelError) as caught:
        open_predictor(tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "fix: " in str(caught.value)


def test_constants_are_minus_one_zero_or_one(tmp_path: Path) -> None:
    edit_array("constants", set_first(7))(saved(tmp_path, "label-set"))
    with pytest.raises(ModelError, match="constants that are not -1, 0 or 1"):
        load_words(tmp_path)


def test_what_memory_cannot_hold_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path)
    monkeypatch.setattr(word_files, "measure_memory_limit", lambda: 2000)
    with pytest.raises(ModelError, match="bytes of memory, and this machine has 2,000"):
        load_words(tmp_path)


def test_two_columns_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / "headstart.json").write_text('{"text": ["a", "b"]}', encoding="utf-8")
    with pytest.raises(Exception, match=r"two columns \(a, b\) for a bag of words"):
        open_predictor(folder)


def test_nobody_is_told_that_torch_is_loaded(tmp_path: Path) -> None:
    told: list[str] = []
    with listen_to_stages(told.append):
        open_predictor(saved(tmp_path))
    assert told == [f"loading {tmp_path}"]


def test_predictions_need_no_torch(tmp_path: Path) -> None:
    folder = saved(tmp_path / "words")
    (tmp_path / "in.csv").write_text("text\ngood\n", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from headstart.commands.predict import predict; "
        "predict(*map(Path, sys.argv[1:])); sys.exit(bool({'torch', 'transformers'} & sys.modules.keys()))"
    )
    paths = [str(path) for path in (folder, tmp_path / "in.csv", tmp_path / "out.csv")]
    assert subprocess.run([sys.executable, "-c", code, *paths], check=False).returncode == 0
    assert (tmp_path / "out.csv").is_file()


@pytest.mark.parametrize(
    "change", [lambda text: text.replace(b"\n", b"\r\n"), lambda text: b"\xef\xbb\xbf" + text]
)
def test_words_that_no_text_can_have_are_refused(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    edit_bytes("vocabulary.txt", change)(folder)
    with pytest.raises(ModelError, match=r"vocabulary.txt has the line"):
        load_words(folder)
