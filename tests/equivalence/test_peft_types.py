"""Every type of PEFT's is trained, scored, saved and asked as PEFT does it, in float64, or is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from headstart.data.batches import IGNORE_INDEX, Batch
from headstart.engine.dropout import DropoutKey
from headstart.engine.generate import GenerationConfig, generate_answers
from headstart.engine.step import MicroBatch, accumulate_gradients, build_inputs, build_loss_inputs
from headstart.errors import ModelError
from headstart.methods.load_adapters import load_adapter
from headstart.methods.lora_layers import list_trained_modules
from headstart.methods.peft import PEFT
from headstart.methods.peft_format import merge_adapter, save_adapter, wrap_with_peft
from headstart.methods.peft_types import refuse_type
from headstart.models.library import silence_logs
from headstart.tasks import load_task
from tiny import FAMILIES, PAD, make_tiny_config, make_tiny_run, max_difference

peft = pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("ignore")

_CPU = torch.device("cpu")
PROMPTS: dict[str, dict[str, Any]] = {
    "PROMPT_TUNING": {"num_virtual_tokens": 3},
    "P_TUNING": {"num_virtual_tokens": 3, "encoder_hidden_size": 16},
    "PREFIX_TUNING": {"num_virtual_tokens": 3},
    "CARTRIDGE": {"num_virtual_tokens": 3},
}
#: By type, settings that suit models 32 wide; layers are named where a type asks for them.
TAKEN: dict[str, dict[str, Any]] = PROMPTS | {
    "ADAPTION_PROMPT": {"adapter_len": 3, "adapter_layers": 2},
    "LN_TUNING": {},
    "TRAINABLE_TOKENS": {"token_indices": [5, 6]},
    "IA3": {"feedforward_modules": []},
    "LORA": {"r": 2},
    "LOHA": {"r": 2},
    "LOKR": {"r": 2},
    "OFT": {"r": 0, "oft_block_size": 4},
    "BOFT": {"boft_block_size": 4},
    "VERA": {"r": 2},
    "FROD": {"progressbar": False},
    "FOURIERFT": {"n_frequency": 10},
    "GLORA": {"r": 2},
    "HRA": {"r": 2},
    "VBLORA": {"r": 2, "num_vectors": 8, "vector_length": 8, "topk": 2},
    "UNILORA": {"r": 2, "theta_d_length": 16},
    "MISS": {"r": 2},
    "RANDLORA": {"r": 2},
    "ROAD": {"group_size": 8},
    "HIRA": {"r": 2},
    "SHIRA": {"r": 2},
    "C3A": {"block_size": 8},
    "WAVEFT": {"n_frequency": 10},
    "DELORA": {"r": 2},
    "GRALORA": {"r": 4, "gralora_k": 2},
    "TINYLORA": {"r": 2, "u": 4},
    "PSOFT": {"r": 2},
    "PEANUT": {"r": 2},
    "SUPERTUNING": {},
    "DEFT": {"r": 2},
    "BEFT": {},
    "LILY": {"r": 2},
}
#: Those that are no change of weights, or that PEFT has no code for.
_UNMERGED = (*PROMPTS, "ADAPTION_PROMPT", "LILY")
REFUSED = ("ADALORA", "XLORA", "POLY", "MULTITASK_PROMPT_TUNING", "CPT", "SHADOW", "OSF", "PVERA", "ADAMSS")
_LAYERS = {"llama": ["q_proj", "v_proj"], "bert": ["query", "value"]}
_NO_LAYERS = (*PROMPTS, "ADAPTION_PROMPT", "TRAINABLE_TOKENS")
#: PEFT has these for families of decoders alone, and leaves a classifier's new head as it was drawn.
_CAUSAL_ONLY = ("ADAPTION_PROMPT", "TRAINABLE_TOKENS")
_DECODERS = ("gpt2", "bloom", "llama", "qwen2", "qwen3")
_DEBERTA = ("deberta-v2", "deberta-v2, keys of its own")
_BERTS = ("bert", "roberta", "camembert", "xlm-roberta")
#: Classifiers that take a prompt: embeddings as wide as the table, keys where a family's code takes some.
_READ_WITH = dict.fromkeys(("PROMPT_TUNING", "P_TUNING"), (*_BERTS, *_DEBERTA, "modernbert", "mpnet")) | (
    dict.fromkeys(("PREFIX_TUNING", "CARTRIDGE"), (*_BERTS, *_DECODERS, "electra"))
)
CASES = [
    *((kind, "llama") for kind in TAKEN),
    *((kind, "bert") for kind in TAKEN if kind not in _CAUSAL_ONLY),
    *((kind, family) for kind in PROMPTS for family in ("gpt2", "bloom", "qwen2")),
]


def _configure(kind: str, family: str) -> dict[str, Any]:
    config = {"peft_type": kind, **TAKEN.get(kind, {})}
    if kind == "LN_TUNING":
        return config | {"target_modules": ["norm" if family == "llama" else "LayerNorm"]}
    return config if kind in _NO_LAYERS else config | {"target_modules": _LAYERS[family]}


def _make_base(family: str) -> Any:
    """Float32, as runs begin: a causal model, or BERT's classifier."""
    config = make_tiny_config(family, 0.0, num_labels=3, initializer_range=0.3)
    auto = AutoModelForSequenceClassification if family == "bert" else AutoModelForCausalLM
    torch.manual_seed(7)
    return auto.from_config(config, dtype=torch.float32)


def _wrap(kind: str, family: str) -> Any:
    return wrap_with_peft(_make_base(family), _configure(kind, family), 0).double()


def _make_batch(family: str) -> tuple[Batch, torch.Tensor]:
    """Four rows, one of them short, and PEFT's own labels for them."""
    ids = np.random.default_rng(0).integers(4, 50, (4, 9))
    mask = np.ones_like(ids)
    mask[1, 6:], ids[1, 6:] = 0, PAD
    if family == "bert":
        labels = np.array([0, 1, 2, 1])
        return Batch(ids, mask, None, labels), torch.from_numpy(labels)
    own = np.where((np.arange(9) >= 3) & (mask == 1), ids, IGNORE_INDEX)
    following = np.pad(own[:, 1:], ((0, 0), (0, 1)), constant_values=IGNORE_INDEX)
    return Batch(ids, mask, None, np.zeros(4, np.int64), following), torch.from_numpy(own)


def _task(family: str) -> Any:
    return load_task("classification" if family == "bert" else "instruction")


def _step_ours(model: Any, family: str) -> float:
    batch, _ = _make_batch(family)
    count = 4 if batch.token_labels is None else int((batch.token_labels >= 0).sum())
    micro = MicroBatch(batch, np.full((1, 4), 1 / count), (DropoutKey(0, 0, 4, 9),))
    return float(accumulate_gradients(model, [micro], task=_task(family), device=_CPU, precision="fp64"))


def _compute_causal_loss(logits: torch.Tensor, labels: torch.Tensor, **_: Any) -> torch.Tensor:
    """As transformers has it, of the labels where PEFT has put them, but not in float32."""
    following = torch.nn.functional.pad(labels, (0, 1), value=IGNORE_INDEX)[:, 1:]
    return torch.nn.functional.cross_entropy(logits.mT, following)


def _step_theirs(model: Any, family: str) -> float:
    batch, labels = _make_batch(family)
    ids, mask = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
    if family != "bert":
        model.get_base_model().loss_function = _compute_causal_loss
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    return float(loss)


def _train(kind: str, family: str, step: Any) -> tuple[list[float], Any]:
    model = _wrap(kind, family)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-2)
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        losses.append(step(model, family))
        optimiser.step()
    return losses, model


def test_each_type_is_taken_or_refused() -> None:
    assert {kind.value for kind in peft.PeftType} == {*TAKEN, *REFUSED}


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_losses_of_four_steps_are_pefts_own(kind: str, family: str) -> None:
    ours, _ = _train(kind, family, _step_ours)
    theirs, _ = _train(kind, family, _step_theirs)
    assert ours == pytest.approx(theirs, abs=1e-10)
    assert ours[0] != ours[-1]


@pytest.mark.parametrize(("kind", "family"), [(k, f) for k, f in CASES if k in PROMPTS])
def test_logits_that_are_scored_are_those_of_the_text(kind: str, family: str) -> None:
    model, (batch, _) = _wrap(kind, family).eval(), _make_batch(family)
    with torch.no_grad():
        more, labels = build_loss_inputs(model, batch, _CPU)
        losses = _task(family).compute_losses(model(**build_inputs(batch, _CPU), **more).logits, labels)
        plain = model(**build_inputs(batch, _CPU)).logits
    if batch.token_labels is not None:
        plain, target = plain[:, -9:], torch.from_numpy(batch.token_labels)
        expected = torch.nn.functional.cross_entropy(plain.mT, target, reduction="none").sum(-1)
        assert max_difference(losses, expected) < 1e-12


def _perturb(model: Any) -> None:
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad and value.is_floating_point():
                value.add_(torch.randn(value.shape, generator=draws, dtype=torch.float64).to(value) * 0.1)


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_what_is_saved_is_loaded_by_peft_and_merged_where_it_can_be(
    kind: str, family: str, tmp_path: Path
) -> None:
    base, inputs = _make_base(family), build_inputs(_make_batch(family)[0], _CPU)
    base.save_pretrained(tmp_path / "base")
    model = wrap_with_peft(base, _configure(kind, family), 0)
    _perturb(model)
    with torch.no_grad():
        expected = model.eval()(**inputs).logits
    nothing = SimpleNamespace(save_pretrained=lambda _: None, is_fast=False)
    checkpoint: Any = SimpleNamespace(
        location=str(tmp_path / "base"),
        config=base.config,
        tokenizer=nothing,
        is_causal=family != "bert",
        stop_ids=[3],
    )
    save_adapter(model, checkpoint, tmp_path / "saved")
    plain = type(_make_base(family)).from_pretrained(tmp_path / "base")
    again = peft.PeftModel.from_pretrained(plain, tmp_path / "saved").eval()
    ours = load_adapter(tmp_path / "saved", task="classification" if family == "bert" else "instruction")
    with torch.no_grad():
        assert max_difference(again(**inputs).logits, expected) < 1e-4
        assert max_difference(ours(**inputs).logits, expected) < 1e-4
        if kind not in _UNMERGED and (kind, family) != ("BEFT", "llama"):
            assert max_difference(merge_adapter(ours)(**inputs).logits, expected) < 1e-3
            return
    with pytest.raises(ModelError, match=f"a {kind} adapter cannot be merged"):
        merge_adapter(ours)


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_over_random_weights_a_plan_takes_what_can_be_merged(kind: str, family: str) -> None:
    config, causal = _configure(kind, family), family != "bert"
    if kind in _UNMERGED or (kind, family) == ("BEFT", "llama"):
        with pytest.raises(ModelError, match="cannot be merged into the random weights"):
            _check(config, family, causal=causal, pretrained=False)
    else:
        _check(config, family, causal=causal, pretrained=False)


@contextmanager
def _on_meta(family: str, *, causal: bool) -> Iterator[tuple[Any, list[str]]]:
    """A skeleton, and what its checkpoint lacks: the head of a classifier."""
    auto = AutoModelForCausalLM if causal else AutoModelForSequenceClassification
    with silence_logs(), torch.device("meta"):
        model = auto.from_config(make_tiny_config(family, 0.0, num_labels=3))
    body = f"{model.base_model_prefix}."
    yield model, [] if causal else [n for n, _ in model.named_parameters() if not n.startswith(body)]


def _check(
    config: dict[str, Any], family: str, *, causal: bool, pretrained: bool = True, **training: Any
) -> None:
    with _on_meta(family, causal=causal) as (skeleton, missing):
        run = replace(make_tiny_run(0, **training), peft=config, pretrained=pretrained)
        PEFT.check(run, skeleton, missing)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_type_that_needs_more_than_steps_is_refused(kind: str) -> None:
    with pytest.raises(
        ModelError, match=rf"^arms\.arm\.peft: PEFT's {kind} .* not supported\n.*peft_type: [A-Z0-9]+"
    ):
        _check({"peft_type": kind}, "llama", causal=True)


@pytest.mark.parametrize(
    "settings",
    [
        {"peft_type": "LOHA", "rank_dropout": 0.1},
        {"peft_type": "LOKR", "module_dropout": 0.1},
        {"peft_type": "BOFT", "boft_dropout": 0.1},
    ],
)
def test_settings_that_need_more_than_steps_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="not supported"):
        _check(settings | {"target_modules": ["q_proj"]}, "llama", causal=True)


def test_a_prompt_from_a_text_names_what_it_needs() -> None:
    settings = {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2, "prompt_tuning_init": "TEXT"}
    with pytest.raises(ModelError, match="TEXT needs tokenizer_name_or_path and prompt_tuning_init_text"):
        refuse_type(settings)


@pytest.mark.parametrize("causal", [True, False])
def test_a_prompt_of_no_tokens_is_refused(causal: bool) -> None:
    with pytest.raises(
        ModelError, match=r"PEFT's PREFIX_TUNING trains no weights with these settings\n.*num_virtual_tokens"
    ):
        _check({"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 0}, "gpt2", causal=causal)


@pytest.mark.parametrize("kind", ["ADAPTION_PROMPT", "TRAINABLE_TOKENS"])
def test_a_type_that_leaves_a_new_head_to_chance_is_refused(kind: str) -> None:
    with pytest.raises(ModelError, match=rf"{kind} does not train score, which the checkpoint lacks"):
        _check(_configure(kind, "llama"), "llama", causal=False)


@pytest.mark.parametrize("kind", PROMPTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_with_a_prompt_is_refused_or_reads_texts_alone_as_in_batches(
    family: str, kind: str
) -> None:
    config = {"peft_type": kind, **PROMPTS[kind]}
    if family not in _READ_WITH[kind]:
        with pytest.raises(ModelError, match="peft"):
            _check(config, family, causal=False)
        return
    _check(config, family, causal=False)
    torch.manual_seed(0)
    base = AutoModelForSequenceClassification.from_config(make_tiny_config(family, 0.0, num_labels=3))
    model = wrap_with_peft(base.double(), config, 0, list_trained_modules(base)).double().eval()
    inputs = build_inputs(_make_batch("bert")[0], _CPU)
    with torch.no_grad():
        together = model(**inputs).logits
        alone = model(**{name: value[1:2, :6] for name, value in inputs.items()}).logits
    assert max_difference(together[1:2], alone) < 1e-9


@pytest.mark.parametrize("kind", ["PREFIX_TUNING", "CARTRIDGE"])
def test_keys_of_a_prefix_and_activations_computed_again_do_not_go_together(kind: str) -> None:
    config = {"peft_type": kind, **PROMPTS[kind]}
    with pytest.raises(ModelError, match=r"training\.gradient_checkpointing"):
        _check(config, "llama", causal=True, gradient_checkpointing=True)
    _check(config, "llama", causal=True)


class _Words:
    """Of a tokenizer what generation asks: an id is its own word."""

    pad_token_id, eos_token_id = PAD, 3

    def decode(self, ids: list[int], **_: bool) -> str:
        return " ".join(map(str, ids))


def _continue(model: Any, prompt: list[int], count: int) -> str:
    """The greedy answer, each word by a whole pass."""
    ids = list(prompt)
    for _ in range(count):
        with torch.no_grad():
            tokens = torch.tensor([ids])
            logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits
        ids.append(int(logits[0, -1].argmax()))
        if ids[-1] == _Words.eos_token_id:
            ids.pop()
            break
    return " ".join(map(str, ids[len(prompt) :]))


@pytest.mark.parametrize("family", ["llama", "gpt2", "bloom", "qwen3"])
@pytest.mark.parametrize("kind", PROMPTS)
def test_answers_with_a_prompt_are_those_of_whole_passes(kind: str, family: str) -> None:
    """Of prompts of several lengths, two of them of one."""
    model = wrap_with_peft(_make_base(family), {"peft_type": kind, **PROMPTS[kind]}, 0).eval()
    _perturb(model)
    prompts = [[5, 6, 7, 8], [9, 4, 6], [11, 12, 13], [20, 21, 22, 23, 24, 25, 7, 8, 9]]
    answers = generate_answers(
        model, prompts, _Words(), GenerationConfig(max_new_tokens=8, static_cache=True), "fp32"
    )
    assert [answer.text for answer in answers] == [_continue(model, prompt, 8) for prompt in prompts]
