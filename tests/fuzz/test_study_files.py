"""Study files: near-valid ones with odd values, broken YAML; what loads is written and read back equal."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from fuzzing import own_folder, run_to_end
from headstart.config.load import dump_study, load_study
from headstart.config.runs import expand_runs
from odd_values import mutated_bytes, texts, values, write_yaml
from study_keys import KEYS, set_key

WHOLE = """\
question: Does it help?
data: {train: train.csv, valid: valid.csv, text: text, label: label, split: {group: film}}
model: asset:minilm
arms:
  pretrained: &base {training: {learning_rate: 3e-5}}
  random: {init: random}
  adapted:
    method: lora
    lora: {r: 8, alpha: 16, target: [query, value]}
    tune: {learning_rate: [1e-4, 3e-4], seeds: 2}
  words: null
control: random
seeds: [0, 1, 2]
sizes: [100, all]
training: {epochs: 3, batch_size: 8, betas: [0.9, 0.98], warmup: 0.1}
margin: 0.5
curves: [valid]
out: runs/one
"""


@st.composite
def odd_studies(draw: st.DrawFn) -> str:
    """A small study in which some keys hold what they should not."""
    tree: dict[str, Any] = {"data": {"path": "a.csv"}, "model": "m", "arms": {"pretrained": {}, "random": {}}}
    for key in draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3)):
        set_key(tree, key, draw(values()))
    if draw(st.booleans()):
        set_key(tree, ("arms", draw(texts())), draw(st.one_of(st.just({}), values())))
    return "\n".join(f"{write_yaml(key)}: {write_yaml(value)}" for key, value in tree.items())


def load_and_return(text: bytes) -> None:
    """Load a study; where it loads, list its runs, and see that its own words give it back."""
    with own_folder() as folder:
        file = folder / "study.yaml"
        file.write_bytes(text)
        study = run_to_end(load_study, file, folder=folder)
        if study is None:
            return
        run_to_end(expand_runs, study)
        again = folder / "again.yaml"
        again.write_text(dump_study(study), encoding="utf-8")
        assert read_values(dump_study(load_study(again))) == read_values(dump_study(study))


def read_values(text: str) -> str:
    """What a study's text says, without how it says it: 32.0 is 32."""
    return repr(YAML(typ="safe", pure=True).load(re.sub(r"\b(\d+)\.0$", r"\1", text, flags=re.MULTILINE)))


@given(odd_studies())
def test_odd_values(text: str) -> None:
    load_and_return(text.encode("utf-8", "surrogatepass"))


@given(mutated_bytes(WHOLE.encode()))
def test_broken_yaml(text: bytes) -> None:
    load_and_return(text)
