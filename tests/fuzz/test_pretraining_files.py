"""Pretraining files: near-valid ones with odd values, broken YAML; what loads is read back equal."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fuzzing import own_folder, run_to_end
from headstart.config.load_pretraining import dump_pretraining, load_pretraining
from headstart.config.pretraining import Pretraining, PretrainingSteps, TokenizerTraining
from headstart.pretraining.schedule import count_total_blocks, count_total_steps, learning_rate
from odd_values import mutated_bytes, texts, values, write_yaml
from study_keys import list_keys, set_key

KEYS = (*list_keys(Pretraining), *list_keys(TokenizerTraining, ("tokenizer",)))
#: Values that a key may well have, by the last part of its name.
NEAR: dict[str, tuple[Any, ...]] = {
    "task": ("masked-lm", "causal-lm"),
    "model": ("roberta-small", "bloom-small", "some/checkpoint", "./folder"),
    "tokenizer": ({"train": "bpe", "size": 300}, "some/tokenizer", {}, None),
    "train": ("texts/*.txt", ["a.txt", "b.jsonl"], "unigram", "bpe"),
    "init": ("random", "pretrained"),
    "replace": ([0.8, 0.1, 0.1], [1, 0, 0], [0.5, 0.5]),
    "schedule": ("linear", "cosine", "wsd", "constant"),
    "warmup": (0, 0.5, 1, 10**6),
    "decay": (0, 0.5, 1, 10**6),
    "epochs": (0.5, 3, 1e-9),
    "steps": (1, 10**6, None),
    "optimiser": ("adamw", "muon"),
    "precision": ("fp32", "bf16", "pure-bf16"),
}
WHOLE = """\
task: masked-lm
data: {train: [books/*.txt, more.jsonl], valid: valid.txt.gz, text: body, document: blank-line}
tokenizer: {train: unigram, size: 32000}
model: roberta-small
sizes: {layers: 2, width: 64, heads: 4, feed_forward: 64, positions: 130, dropout: 0.1}
masking: {share: 0.15, whole_words: yes, replace: [0.8, 0.1, 0.1]}
training:
  block: 128
  steps: 1000
  schedule: wsd
  betas: [0.9, 0.98]
  precision: bf16
trackers: [tensorboard]
seed: 3
out: runs/books
"""


@st.composite
def odd_pretrainings(draw: st.DrawFn) -> str:
    """A small pretraining in which some keys hold what they should not, or what does not go together."""
    tree: dict[str, Any] = {"data": {"train": "a.txt"}}
    for key in draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4)):
        near = st.sampled_from(NEAR[key[-1]]) if key[-1] in NEAR else values()
        set_key(tree, key, draw(st.one_of(near, values())))
    if draw(st.booleans()):
        set_key(tree, ("training", draw(texts())), draw(values()))
    return "\n".join(f"{write_yaml(key)}: {write_yaml(value)}" for key, value in tree.items())


def load_and_return(text: bytes) -> None:
    """Load a pretraining; where it loads, see that its own words give it back, and that it has its rates."""
    with own_folder() as folder:
        file = folder / "pretrain.yaml"
        file.write_bytes(text)
        settings = run_to_end(load_pretraining, file, folder=folder)
        if settings is None:
            return
        check_schedule(settings.training)
        file.write_text(dump_pretraining(settings), encoding="utf-8")
        assert load_pretraining(file).model_dump() == settings.model_dump()


def check_schedule(training: PretrainingSteps) -> None:
    """See that each step, of many the first and last ones, has a rate between nothing and the peak."""
    total = count_total_steps(training, 1000)
    assert 1 <= total <= count_total_blocks(training, 1000)
    for step in {0, 1, total // 2, total - 1}:
        assert (
            0 <= learning_rate(training, min(step, total - 1), total) <= training.learning_rate * (1 + 1e-9)
        )


@given(odd_pretrainings())
def test_odd_values(text: str) -> None:
    load_and_return(text.encode("utf-8", "surrogatepass"))


@given(mutated_bytes(WHOLE.encode()))
def test_broken_yaml(text: bytes) -> None:
    load_and_return(text)
