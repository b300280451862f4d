"""A language model pretrained from files of text by the command, and its folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

import headstart
from headstart.commands import pretrain as command
from headstart.errors import HeadstartError, ModelError, OutputError, StudyError
from headstart.interrupts import Interrupted
from headstart.models.checkpoints import open_checkpoint
from headstart.store.pretraining_folder import hold_pretraining_folder

SIZES = {"layers": 1, "width": 16, "heads": 2}


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A file of lines of words."""
    rng = np.random.default_rng(0)
    words = ["sun", "moon", "tree", "river", "stone", "cloud", "bird", "wind"]
    lines = [" ".join(rng.choice(words, 20)) for _ in range(80)]
    (tmp_path / "texts.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "texts.txt"


def make_settings(texts: Path, *overrides: str, **more: Any) -> headstart.Pretraining:
    values = {
        "data": {"train": str(texts), "valid_share": 0.2},
        "tokenizer": {"train": "bpe", "size": 280},
        "sizes": {**SIZES, "feed_forward": 16, "positions": 20},
        "training": {"block": 16, "batch_size": 8, "steps": 6, "learning_rate": 0.01, "precision": "fp32"},
        "device": "cpu",
        "out": str(texts.parent / "out"),
    }
    return headstart.load_pretraining({**values, **more}, overrides)


def test_a_masked_language_model_loads_as_transformers_loads_it(texts: Path) -> None:
    result = headstart.pretrain(make_settings(texts))
    model = AutoModelForMaskedLM.from_pretrained(result.folder)
    tokenizer = AutoTokenizer.from_pretrained(result.folder)
    inputs = tokenizer("sun moon <mask> river", return_tensors="pt")
    assert model(**inputs).logits.shape[-1] == 280 == len(tokenizer)
    assert "fill-mask" in (result.folder / "README.md").read_text(encoding="utf-8")
    written = json.loads((texts.parent / "out" / "pretraining.json").read_text(encoding="utf-8"))
    assert written["valid_loss"] == result.record.valid_loss
    assert result.to_dict()["model"] == str(result.folder)
    assert list(result.frame("validations").step) == [1, 2, 3, 4, 5, 6]
    assert "unigram entropy" in str(result)
    assert f"{sum(p.numel() for p in model.parameters()):,} parameters" in str(result)


def test_a_study_takes_it_as_its_model(texts: Path) -> None:
    result = headstart.pretrain(make_settings(texts))
    checkpoint = open_checkpoint(str(result.folder), "classification", ("bad", "good"))
    assert checkpoint.max_length == 16
    assert headstart.params(str(result.folder)).total == result.record.parameters


def test_curves_hold_losses_accuracy_bits_and_speed(texts: Path) -> None:
    headstart.pretrain(make_settings(texts))
    curves = EventAccumulator(str(texts.parent / "out" / "tensorboard"))
    curves.Reload()
    tags = set(curves.Tags()["scalars"])
    assert {"train/loss", "train/lr", "train/tokens_per_second"} <= tags
    assert {"valid/loss", "valid/accuracy", "valid/bits_per_byte"} <= tags
    assert len(curves.Scalars("train/loss")) == 6


def test_a_causal_model(texts: Path) -> None:
    sizes = {**SIZES}
    result = headstart.pretrain(make_settings(texts, task="causal-lm", model="bloom-small", sizes=sizes))
    model = AutoModelForCausalLM.from_pretrained(result.folder)
    assert model.config.n_layer == 1
    assert result.record.targets == 6 * 8 * 15


def test_on_from_a_checkpoint(texts: Path) -> None:
    first = headstart.pretrain(make_settings(texts))
    on = make_settings(
        texts,
        model=str(first.folder),
        tokenizer=None,
        init="pretrained",
        sizes={},
        out=str(texts.parent / "on"),
    )
    second = headstart.pretrain(on)
    assert second.record.valid_loss < first.record.valid_loss
    with pytest.raises(StudyError, match="go with the checkpoint's own tokenizer"):
        make_settings(texts, model=str(first.folder), init="pretrained", sizes={})


def test_what_was_interrupted_when_all_was_trained_is_saved_by_the_next_call(
    texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(texts)
    whole = headstart.pretrain(settings.model_copy(update={"out": str(texts.parent / "whole")}))

    def interrupt(*words: Any) -> None:
        raise Interrupted(15)

    with monkeypatch.context() as patched:
        patched.setattr(command, "save_language_model", interrupt)
        with pytest.raises(Interrupted):
            headstart.pretrain(settings)
    assert not (texts.parent / "out" / "model").exists()
    resumed = headstart.pretrain(make_settings(texts, "training.graph=off"))  # which changes no bits
    weights = [AutoModelForMaskedLM.from_pretrained(one.folder).state_dict() for one in (whole, resumed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not (texts.parent / "out" / ".headstart" / "state.safetensors").exists()


def test_the_same_call_again_trains_nothing(texts: Path) -> None:
    first = headstart.pretrain(make_settings(texts))
    told: list[str] = []
    again = headstart.pretrain(make_settings(texts), log=told.append)
    assert again.record == first.record
    assert told == [f"{texts.parent / 'out'}: done before"]


def test_other_settings_in_the_same_folder_are_refused(texts: Path) -> None:
    headstart.pretrain(make_settings(texts))
    with pytest.raises(OutputError, match=r"masking\.share was 0\.15, is 0\.3; seed was 0, is 1"):
        headstart.pretrain(make_settings(texts, "seed=1", "masking.share=0.3"))
    headstart.pretrain(make_settings(texts, "save_every=3", "training.graph=off"))


def test_settings_bind_once_something_was_trained(texts: Path) -> None:
    with pytest.raises(HeadstartError, match=r"tokenizer\.size: \d+") as raised:
        headstart.pretrain(make_settings(texts, "tokenizer.size=4000"))
    advised = re.search(r"tokenizer\.size: (\d+)", str(raised.value))
    assert advised is not None
    wrong = [f"tokenizer.size={advised[1]}", "sizes.heads=3"]
    with pytest.raises(ModelError, match="a width that the heads divide"):
        headstart.pretrain(make_settings(texts, *wrong))
    # The tokenizer is trained: what it is a function of is bound, the model's sizes are not.
    with pytest.raises(OutputError, match=r"differences: tokenizer\.size was \d+, is 280\n"):
        headstart.pretrain(make_settings(texts))
    result = headstart.pretrain(make_settings(texts, wrong[0]))
    assert result.record.settings["sizes"]["heads"] == 2
    with pytest.raises(OutputError, match=r"differences: sizes\.heads was 2, is 1"):
        headstart.pretrain(make_settings(texts, wrong[0], "sizes.heads=1"))


def test_a_file_that_we_did_not_write_is_not_replaced(texts: Path) -> None:
    own = f"# mine\ndata: {{train: {texts}}}\n"
    (texts.parent / "out").mkdir()
    (texts.parent / "out" / "pretraining.yaml").write_text(own, encoding="utf-8")
    with pytest.raises(OutputError, match="contains another pretraining"):
        headstart.pretrain(make_settings(texts))
    assert (texts.parent / "out" / "pretraining.yaml").read_text(encoding="utf-8") == own


def test_a_folder_of_somebody_else_is_left_alone(texts: Path) -> None:
    with pytest.raises(OutputError, match="something other than a pretraining"):
        headstart.pretrain(make_settings(texts, out=str(texts.parent)))
    assert [file.name for file in texts.parent.iterdir()] == ["texts.txt"]


def test_two_processes_cannot_write_one_folder(texts: Path) -> None:
    settings = make_settings(texts)
    with hold_pretraining_folder(settings), pytest.raises(OutputError, match="process"):
        headstart.pretrain(settings)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"training": {"block": 64, "steps": 2}}, "at most 18, which the model has positions for"),
        ({"sizes": {**SIZES, "heads": 3}}, "a width that the heads divide"),
    ],
)
def test_sizes_that_do_not_fit(texts: Path, more: dict[str, Any], message: str) -> None:
    if "training" in more:
        more = {**more, "sizes": {**SIZES, "positions": 20}}
    with pytest.raises(ModelError) as raised:
        headstart.pretrain(make_settings(texts, **more))
    assert message in str(raised.value)


def test_a_family_that_sees_what_it_predicts_is_refused(texts: Path) -> None:
    first = headstart.pretrain(make_settings(texts))
    causal = make_settings(
        texts, task="causal-lm", model=str(first.folder), sizes={}, out=str(texts.parent / "causal")
    )
    with pytest.raises(ModelError, match="roberta is no family of causal models"):
        headstart.pretrain(causal)


def test_what_is_no_pretraining(texts: Path) -> None:
    with pytest.raises(HeadstartError, match="a dict"):
        headstart.pretrain({"data": {}})  # type: ignore[arg-type]


def list_names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("existing", ["", "runs", "runs/out"])
def test_a_refusal_leaves_nothing_that_was_not_there(texts: Path, existing: str) -> None:
    place = texts.parent / "place"
    (place / existing).mkdir(parents=True)
    before = list_names(place)
    with pytest.raises(HeadstartError, match=r"tokenizer\.size"):
        headstart.pretrain(make_settings(texts, "tokenizer.size=4000", out=str(place / "runs" / "out")))
    assert list_names(place) == before


def test_a_refusal_leaves_the_settings_that_were_there(texts: Path) -> None:
    """A process that was killed before it had trained anything leaves them."""
    with hold_pretraining_folder(settings := make_settings(texts)):
        pass
    out = texts.parent / "out"
    before = (out / "pretraining.yaml").read_bytes()
    with pytest.raises(HeadstartError, match=r"tokenizer\.size"):
        headstart.pretrain(make_settings(texts, "tokenizer.size=4000"))
    assert (out / "pretraining.yaml").read_bytes() == before
    assert headstart.pretrain(settings).record.steps == 6


def test_a_warm_up_that_outlasts_the_steps_is_refused(texts: Path) -> None:
    with pytest.raises(StudyError, match=r"training\.warmup: 7 steps, of 6 in all"):
        make_settings(texts, "training.warmup=7")
    assert make_settings(texts, "training.warmup=6").training.warmup == 6
    epochs = {"block": 16, "batch_size": 8, "epochs": 1, "precision": "fp32", "warmup": 10_000}
    with pytest.raises(HeadstartError, match=r"10,000 steps of warm-up, of \d+ in all"):
        headstart.pretrain(make_settings(texts, training=epochs))
