"""Causal models equal the library's own arithmetic: losses, accumulated gradients, packs, answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM

from headstart.config.study import Lora
from headstart.data.batches import collate
from headstart.data.tokenise import Tokens
from headstart.engine.evaluate import evaluate_members, require_scores
from headstart.engine.generate import GenerationConfig, generate_answers
from headstart.engine.join_weights import join_weights
from headstart.engine.member import Member, PackContext, TokenisedExamples
from headstart.engine.train import train
from headstart.methods.lora_layers import collect_trained_values, inject_adapters
from headstart.methods.peft_format import convert_to_peft, make_lora_config
from headstart.models.accounting.counts import count_parameters
from headstart.tasks import load_task
from tiny import (
    FAMILIES,
    EventRecorder,
    make_tiny_config,
    make_tiny_context,
    make_tiny_run,
    make_tiny_tokens,
    max_difference,
)

FAMILIES_OF_SPEECH = ("bloom", "gpt2", "llama")
END = 3
#: BLOOM's softmax is in float32 whatever the model is in.
ROUNDED = {"bloom": 1e-5, "gpt2": 1e-9, "llama": 1e-9}


def _model(family: str, seed: int = 0, dropout: float = 0.0) -> Any:
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(make_tiny_config(family, dropout)).double().train()


def _tokens(count: int, seed: int = 0) -> Tokens:
    """Random texts whose last third, at least one token, carries loss."""
    plain = make_tiny_tokens(count, seed)
    targets = np.zeros(len(plain.input_ids), bool)
    for start, stop in zip(plain.starts[:-1], plain.starts[1:], strict=True):
        targets[stop - max(1, (stop - start) // 3) : stop] = True
    return replace(plain, loss_mask=targets)


def _setting() -> PackContext:
    parts: Any = {
        part: TokenisedExamples(_tokens(n, i), np.zeros(n, np.int64))
        for i, (part, n) in enumerate((("train", 40), ("valid", 9), ("test", 9)))
    }
    return replace(make_tiny_context(), task=load_task("instruction"), outputs=1, metric="loss", parts=parts)


def _labels(tokens: Tokens, i: int) -> torch.Tensor:
    """As the library wants them: the ids themselves, -100 where no loss falls."""
    span = slice(tokens.starts[i], tokens.starts[i + 1])
    ids = torch.from_numpy(np.array(tokens.input_ids[span], np.int64))
    return torch.where(torch.from_numpy(np.array(tokens.loss_mask[span])), ids, -100)  # type: ignore[index]


def _ids(tokens: Tokens, i: int) -> torch.Tensor:
    return torch.from_numpy(np.array(tokens.input_ids[tokens.starts[i] : tokens.starts[i + 1]], np.int64))[
        None
    ]


@pytest.mark.parametrize("family", FAMILIES_OF_SPEECH)
def test_scores_are_the_librarys_loss(family: str) -> None:
    """Text by text, without padding, weighted by tokens."""
    model, tokens = _model(family).eval(), _tokens(13)
    sums = counts = rights = 0.0
    for i in range(len(tokens)):
        labels = _labels(tokens, i)
        with torch.no_grad():
            out = model(input_ids=_ids(tokens, i), labels=labels[None], num_items_in_batch=1)
        sums += float(cross_entropy(out.logits[0, :-1], labels[1:], reduction="sum"))
        # The library's own sum is taken in float32.
        assert float(out.loss) == pytest.approx(
            float(cross_entropy(out.logits[0, :-1], labels[1:], reduction="sum")), rel=1e-6
        )
        counts += int((labels[1:] >= 0).sum())
        rights += int((out.logits[0, :-1].argmax(-1) == labels[1:]).sum())
    context = _setting()
    (found,) = evaluate_members(
        model,
        tokens,
        np.zeros(len(tokens)),
        task=load_task("instruction"),
        outputs=1,
        pad_id=END,
        device=context.device,
        precision="fp64",
    )
    scores = require_scores(found)
    assert scores["loss"] == pytest.approx(sums / counts, abs=1e-9)
    assert scores["perplexity"] == pytest.approx(np.exp(sums / counts), rel=1e-9)
    assert scores["token_accuracy"] == pytest.approx(rights / counts, abs=1e-12)


@pytest.mark.parametrize("family", FAMILIES_OF_SPEECH)
def test_steps_are_the_librarys_with_the_whole_batchs_tokens(family: str) -> None:
    """Accumulated batches of unlike lengths: the loss is divided by the tokens of all of them together."""
    run = make_tiny_run(0, steps=8, batch_size=3, accumulation=2, clip=0, weight_decay=0.0)
    context, index = _setting(), np.arange(40)
    member = Member(run, index)
    weights = join_weights(iter([_model(family)]), 1)
    train([member], weights, context, EventRecorder())
    theirs, losses = _by_hand(_model(family), Member(run, index), context)
    assert member.losses == pytest.approx(losses, abs=1e-9)
    assert member.weights is not None
    ours = weights.layout.view_parameters(weights.values[0])
    for name, value in theirs.named_parameters():
        assert max_difference(ours[name], value) < ROUNDED[family], name


def _by_hand(model: Any, member: Member, context: PackContext) -> tuple[Any, list[float]]:
    """Each text by itself, its loss over the whole batch's tokens as the Trainer's, and torch's AdamW."""
    from headstart.engine.member import iter_step_batches
    from headstart.engine.schedule import learning_rate

    training, tokens = member.run.training, context.parts["train"].tokens
    optimiser = torch.optim.AdamW(
        model.parameters(), betas=training.betas, eps=training.epsilon, weight_decay=0.0
    )
    losses = []
    for step, turn in enumerate(iter_step_batches(member, context)):
        texts = [i for passed in turn.batches for i in passed]
        items = sum(int((_labels(tokens, i)[1:] >= 0).sum()) for i in texts)
        total = 0.0
        for i in texts:
            logits = model(input_ids=_ids(tokens, i)).logits
            loss = cross_entropy(logits[0, :-1], _labels(tokens, i)[1:], reduction="sum") / items
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        optimiser.param_groups[0]["lr"] = learning_rate(training, step, member.total_steps)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(total)
    return model, losses


@pytest.mark.parametrize("family", FAMILIES_OF_SPEECH)
@pytest.mark.parametrize("lora", [None, Lora(r=3, dropout=0.1)])
def test_a_pack_of_speakers_is_its_runs(family: str, lora: Lora | None) -> None:
    runs = [make_tiny_run(0, steps=12), make_tiny_run(1, steps=9, learning_rate=3e-3, accumulation=1)]

    def model(seed: int) -> Any:
        built = _model(family, 5 if lora else seed, dropout=0.1)
        if lora:
            inject_adapters(built, lora, seed)
        return built.double()

    def trained(seeds: list[int]) -> tuple[list[Member], Any]:
        members = [Member(runs[seed], np.arange(40 - 9 * seed)) for seed in seeds]
        weights = join_weights(map(model, seeds), len(seeds))
        train(members, weights, _setting(), EventRecorder())
        return members, weights

    members, _ = trained([0, 1])
    for seed in (0, 1):
        (alone,), _ = trained([seed])
        assert members[seed].losses == pytest.approx(alone.losses, abs=1e-9)
        assert [p.valid for p in members[seed].epochs] == [
            pytest.approx(p.valid, abs=1e-9) for p in alone.epochs
        ]
        assert max_difference(members[seed].weights, alone.weights) < ROUNDED[family]


def test_padding_with_the_end_token_changes_nothing() -> None:
    """Targets go by position: what a batch is padded with is of no matter."""
    tokens = _tokens(6)
    batches = [collate(tokens, range(6), np.zeros(6), pad_id) for pad_id in (END, 1)]
    assert batches[0].token_labels is not None
    assert batches[1].token_labels is not None
    assert (batches[0].token_labels == batches[1].token_labels).all()
    assert not (batches[0].input_ids == batches[1].input_ids).all()


class _Tokenizer:
    """Numbers for words."""

    pad_token_id, eos_token_id = END, END

    def decode(self, ids: list[int], **_: Any) -> str:
        return " ".join(map(str, ids))


@pytest.mark.parametrize("family", FAMILIES_OF_SPEECH)
def test_answers_together_are_answers_alone(family: str) -> None:
    """Padded on the left or not, greedily, in the prompts' order; and as the library's own argmax says."""
    model: Any = _model(family).float().eval()
    prompts = [[5, 6, 7, 8, 9, 10], [11], [12, 13, 14], [20, 21]]
    together = generate_answers(model, prompts, _Tokenizer(), GenerationConfig(6), "fp32")
    alone = [
        generate_answers(model, [prompt], _Tokenizer(), GenerationConfig(6), "fp32")[0] for prompt in prompts
    ]
    assert together == alone
    ids = list(prompts[0])
    with torch.no_grad():
        for _ in range(6):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    answer_ids = ids[6:]
    answer_ids = answer_ids[: answer_ids.index(END)] if END in answer_ids else answer_ids
    assert together[0].text == " ".join(map(str, answer_ids))


@pytest.mark.parametrize("family", FAMILIES_OF_SPEECH)
def test_answers_with_a_static_cache_are_the_answers(family: str) -> None:
    model: Any = _model(family).float().eval()
    prompts = [[5, 6, 7, 8, 9, 10], [11], [12, 13, 14], [20, 21]]
    grown, static = (
        generate_answers(model, prompts, _Tokenizer(), GenerationConfig(6, static_cache=kept), "fp32")
        for kept in (False, True)
    )
    assert static == grown


def test_drawn_answers_are_a_function_of_the_seed() -> None:
    model = _model("llama")
    prompts = [[5, 6], [7, 8]]
    draws = [
        generate_answers(
            model, prompts, _Tokenizer(), GenerationConfig(8, temperature=1.0, seed=seed), "fp64"
        )
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    assert model.training


def test_bloom_560m_has_the_numbers_that_are_published() -> None:
    """559,214,592 (its model card), and 24 x 16 x (1024 + 3072) for r=16 on query_key_value."""
    pytest.importorskip("peft")
    config = AutoConfig.for_model(
        "bloom", vocab_size=250880, hidden_size=1024, n_layer=24, n_head=16, use_cache=False
    )
    with torch.device("meta"):
        model, base = (AutoModelForCausalLM.from_config(config) for _ in range(2))
    assert count_parameters(model).total == 559_214_592
    inject_adapters(model, Lora(r=16), 0)
    counts = count_parameters(model)
    assert (counts.trainable, counts.total) == (1_572_864, 559_214_592 + 1_572_864)
    written = make_lora_config(base, Lora(r=16))
    assert written.target_modules == {"query_key_value"}
    assert (written.task_type, written.modules_to_save) == ("CAUSAL_LM", None)


@pytest.mark.parametrize("family", FAMILIES_OF_SPEECH)
def test_adapted_speakers_are_pefts(family: str) -> None:
    pytest.importorskip("peft")
    lora, ours = Lora(r=3, alpha=5, dropout=0.0), _model(family)
    inject_adapters(ours, lora, 0)
    ours.double()
    with torch.no_grad():
        for name, value in ours.named_parameters():
            if name.endswith("lora_B.weight"):
                value.normal_(generator=torch.Generator().manual_seed(1))
    theirs = convert_to_peft(_model(family), collect_trained_values(ours), lora)
    ids = _ids(_tokens(1), 0)
    with torch.no_grad():
        assert max_difference(ours(input_ids=ids).logits, theirs(input_ids=ids).logits) < 1e-9
    assert not any("lm_head" in name for name, p in ours.named_parameters() if p.requires_grad)


def test_the_families_are_known() -> None:
    assert set(FAMILIES_OF_SPEECH) <= set(FAMILIES)
