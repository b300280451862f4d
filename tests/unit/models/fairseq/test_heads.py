"""Heads: the only one is taken, several are listed, and what transformers cannot hold is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

from fairseq_networks import (
    IDS,
    PAD,
    compute_class_logits,
    make_settings,
    make_state,
    write_folder,
    write_lines,
)
from headstart import ImportedModel, import_fairseq
from headstart.errors import ModelError


def import_head(
    tmp_path: Path, heads: dict[str, int], *, inner: int = 16, head: str | None = None, **changes: Any
) -> ImportedModel:
    settings = make_settings(**changes)
    folder = write_folder(tmp_path / "ck", settings, make_state(settings, heads, inner=inner))
    return import_fairseq(folder, tmp_path / "out", tokenizer="none", head=head)


def test_several_heads_are_listed_and_one_is_taken_by_name(tmp_path: Path) -> None:
    heads = {"mnli": 3, "sst": 2}
    with pytest.raises(ModelError) as caught:
        import_head(tmp_path, heads)
    assert "2 heads" in str(caught.value)
    assert "--head, with one of mnli, sst, lm_head" in str(caught.value)
    imported = import_head(tmp_path, heads, head="sst")
    assert (imported.head, imported.heads) == ("sst", heads)
    assert imported.left_out == ("lm_head", "head mnli")
    settings = make_settings()
    expected = compute_class_logits(make_state(settings, heads), settings, "sst", IDS)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    with torch.inference_mode():
        found = model(IDS, attention_mask=(IDS != PAD).long()).logits
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_masked_language_models_head_can_be_asked_for(tmp_path: Path) -> None:
    assert import_head(tmp_path, {"sst": 2}, head="lm_head").head == "lm_head"
    assert AutoModelForMaskedLM.from_pretrained(tmp_path / "out") is not None


def test_a_head_for_classification_may_be_called_lm_head(tmp_path: Path) -> None:
    """`lm_head` is the masked language model's all the same; the other has the name of fairseq's key."""
    heads = {"lm_head": 3, "sst": 2}
    assert import_head(tmp_path, {"lm_head": 3}, head="lm_head").labels == ()
    assert AutoModelForMaskedLM.from_pretrained(tmp_path / "out") is not None
    imported = import_head(tmp_path / "a", heads, head="classification_heads.lm_head")
    assert imported.head == "lm_head"
    assert AutoModelForSequenceClassification.from_pretrained(tmp_path / "a" / "out").num_labels == 3
    assert import_head(tmp_path / "b", heads, head="classification_heads.sst").head == "sst"
    with pytest.raises(ModelError, match=r"one of classification_heads\.lm_head, sst, lm_head"):
        import_head(tmp_path / "c", heads)


def test_a_head_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no head 'cola'\n  expected: one of sst, lm_head"):
        import_head(tmp_path, {"sst": 2}, head="cola")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"inner": 8}, r"an inner width of \[8\] in a network \[16\] wide"),
        ({"pooler_activation_fn": "relu"}, r"the activation relu \(pooler_activation_fn\)"),
        ({"spectral_norm_classification_head": True}, "spectral normalisation"),
    ],
)
def test_what_transformers_head_cannot_have_is_refused(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ModelError, match=f"the head sst has {told}"):
        import_head(tmp_path, {"sst": 2}, **changes)
    changes.pop("inner", None)
    assert import_head(tmp_path, {"sst": 2}, head="lm_head", **changes).head == "lm_head"


def test_a_spectral_norm_shows_in_the_weights_too(tmp_path: Path) -> None:
    settings = make_settings()
    state = make_state(settings, {"sst": 2})
    state["classification_heads.sst.out_proj.weight_orig"] = state.pop(
        "classification_heads.sst.out_proj.weight"
    )
    with pytest.raises(ModelError, match="spectral"):
        import_fairseq(write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none")


def test_one_output_is_a_regression(tmp_path: Path) -> None:
    imported = import_head(tmp_path, {"score": 1}, task="sentence_prediction", regression_target=True)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    assert (model.config.num_labels, model.config.problem_type) == (1, "regression")
    assert imported.labels == ()


def import_labels(tmp_path: Path, classes: int, **options: Any) -> dict[int, str]:
    settings = make_settings()
    folder = write_folder(tmp_path / "ck", settings, make_state(settings, {"sst": classes}))
    import_fairseq(folder, tmp_path / "out", tokenizer="none", force=True, **options)
    names: dict[int, str] = AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "out"
    ).config.id2label
    return names


LABELS = ("-1", "1", "madeupword0000", "madeupword0001")


@pytest.mark.parametrize("place", ["label_dict.txt", "label/dict.txt", "dict.label.txt"])
def test_class_k_is_line_k_without_padding(tmp_path: Path, place: str) -> None:
    write_lines(tmp_path / "ck" / place, LABELS)
    assert import_labels(tmp_path, 2) == {0: "-1", 1: "1"}


def test_labels_from_elsewhere(tmp_path: Path) -> None:
    write_lines(tmp_path / "bin" / "label" / "dict.txt", LABELS)
    assert import_labels(tmp_path, 2, data=tmp_path / "bin") == {0: "-1", 1: "1"}
    assert import_labels(tmp_path, 2, labels=tmp_path / "bin" / "label") == {0: "-1", 1: "1"}
    assert import_labels(tmp_path, 3, labels=tmp_path / "bin/label/dict.txt") == {
        0: "-1",
        1: "1",
        2: "LABEL_2",
    }
    assert import_labels(tmp_path, 2) == {0: "LABEL_0", 1: "LABEL_1"}


def test_labels_that_do_not_fit(tmp_path: Path) -> None:
    write_lines(tmp_path / "labels.txt", ("a", "b", "c", "madeupword0000"))
    with pytest.raises(ModelError, match="3 labels for a head of 2 classes"):
        import_labels(tmp_path, 2, labels=tmp_path / "labels.txt")
    with pytest.raises(ModelError, match="no such label dictionary"):
        import_labels(tmp_path, 2, labels=tmp_path / "none.txt")
    with pytest.raises(ModelError, match="labels for a head without classes"):
        import_head(tmp_path, {}) and import_fairseq(
            tmp_path / "ck", tmp_path / "x", tokenizer="none", labels=tmp_path / "labels.txt"
        )
