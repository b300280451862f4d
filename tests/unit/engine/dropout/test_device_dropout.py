"""Device dropout has a training pass wait for nothing, whatever the family; its masks are the reference's."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch._dynamo.testing import CompileCounterWithBackend

from headstart.engine.capture_hints import pretend_capture
from headstart.engine.dropout import DeviceDropout
from headstart.engine.dropout.philox import SITES, derive_keys, find_kept
from headstart.engine.graphs import make_capturable
from headstart.engine.memory import enable_gradient_checkpointing
from headstart.engine.stack import stack
from headstart.errors import StackError
from host_reads import ForbidHostReads, HostReadError
from tiny import FAMILIES, PAD, VOCABULARY, make_tiny_model, max_difference

SEEDS = (5, 7)


def _make_dropout(*seeds: int, step: int = 0, device: str = "cpu") -> DeviceDropout:
    keys = torch.from_numpy(derive_keys(seeds))
    return DeviceDropout(keys.to(device), torch.full((len(seeds),), step, device=device))


# Masks and places


def test_its_masks_are_the_references_call_by_call() -> None:
    ones = torch.ones(4, 3, 9)
    with _make_dropout(*SEEDS, step=2):
        for site in range(3):
            kept = find_kept((4, 3, 9), derive_keys(SEEDS), torch.tensor([2, 2]).numpy(), site, 0.5)
            assert torch.equal(F.dropout(ones, 0.5) != 0, torch.from_numpy(kept))


@pytest.mark.parametrize("heads", [2, 1], ids=["each its own keys", "grouped"])
def test_attentions_weights_meet_them_too(heads: int) -> None:
    query = torch.zeros(4, 2, 5, 5)
    key, value = torch.zeros(4, heads, 5, 5), torch.eye(5).expand(4, heads, 5, 5)
    with _make_dropout(*SEEDS):
        # All weights are 1/5, and the values show them.
        seen = F.scaled_dot_product_attention(query, key, value, dropout_p=0.5, enable_gqa=heads == 1)
    kept = find_kept((4, 2, 5, 5), derive_keys(SEEDS), torch.tensor([0, 0]).numpy(), 0, 0.5)
    assert torch.equal(seen != 0, torch.from_numpy(kept))


def test_a_position_bias_learns() -> None:
    q, k, v = (torch.randn(2, 2, 4, 3, dtype=torch.float64) for _ in range(3))
    bias = torch.randn(2, 4, 4, dtype=torch.float64, requires_grad=True)

    def attend(bias: torch.Tensor) -> torch.Tensor:
        with _make_dropout(*SEEDS):
            return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=0.4)

    assert torch.autograd.gradcheck(attend, (bias,))
    assert torch.allclose(attend(bias), attend(bias.detach()), rtol=0, atol=1e-12)


def test_more_sites_than_masks_have_names_are_refused() -> None:
    one = torch.ones(1, 1)
    with _make_dropout(0):
        for _ in range(SITES):
            F.dropout(one, 0.5)
        with pytest.raises(StackError, match="more than 1024 places"):
            F.dropout(one, 0.5)


def test_attention_of_other_shapes_is_refused() -> None:
    q = torch.ones(2, 3, 4)
    with _make_dropout(0), pytest.raises(StackError, match="queries of shape"):
        F.scaled_dot_product_attention(q, q, q, dropout_p=0.5)


# What would have the host copy or wait


@pytest.mark.parametrize("number", [0.0, 3, True])
def test_a_number_for_another_device_is_filled_in_there(
    number: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BLOOM's mask makes one, in some versions."""
    fills: list[Any] = []
    full = torch.full

    def fill(shape: Any, *args: Any, **more: Any) -> torch.Tensor:
        if shape == ():
            fills.append(args)
        return full(shape, *args, **more)

    monkeypatch.setattr(torch, "full", fill)
    with _make_dropout(0):
        made = torch.tensor(number, device="meta")
        narrow = torch.tensor(number, device="meta", dtype=torch.float16)
        here, listed = torch.tensor(number), torch.tensor([number], device="meta")
    assert fills == [(number,)] * 2
    assert (made.shape, made.device.type) == ((), "meta")
    assert (made.dtype, narrow.dtype) == (torch.tensor(number).dtype, torch.float16)
    assert torch.equal(here, torch.tensor(number))
    assert listed.shape == (1,)


def test_a_number_is_taken_to_a_tensors_device_as_a_fill() -> None:
    """DeBERTa's buckets of positions do."""
    number, other = torch.tensor(3), torch.ones(2, device="meta")
    with ForbidHostReads("meta"):
        with _make_dropout(0):
            moved, here = number.type_as(other), number.type_as(torch.ones(2))
        with pytest.raises(HostReadError, match=r"between \['cpu', 'meta'\]"):
            number.type_as(other)
    assert (moved.device.type, moved.dtype, moved.shape) == ("meta", torch.float32, ())
    assert torch.equal(here, torch.tensor(3.0))


def _make_inputs(rows: int, tokens: int = 9) -> dict[str, torch.Tensor]:
    """Random ids; every other row ends in padding."""
    ids = torch.randint(4, VOCABULARY, (rows, tokens), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[::2, tokens - 3 :] = 0
    return {"input_ids": ids.where(mask == 1, PAD), "attention_mask": mask}


def _make_model(family: str, members: int) -> Any:
    models = [make_tiny_model(family, seed=r, dropout=0.2) for r in range(members)]
    return stack(models) if members > 1 else models[0]


def _make_step(model: Any, device: str, hints: AbstractContextManager[None]) -> None:
    """Forward and backward passes of summed losses, none of which may wait."""
    members = getattr(model, "members", 1)
    inputs = {name: x.to(device) for name, x in _make_inputs(2 * members).items()}
    labels = torch.zeros(2 * members, dtype=torch.int64, device=device)
    dropout = _make_dropout(*range(members), device=device)
    with ForbidHostReads(device):
        with hints, dropout:
            logits = model(**inputs).logits
        F.cross_entropy(logits, labels, reduction="none").sum().backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_waits_for_nothing_and_copies_nothing(family: str, members: int, device: str) -> None:
    """On the meta device what the host would copy shows: it stands for one that is elsewhere."""
    model = _make_model(family, members).to(device)
    _make_step(model, device, make_capturable(model))
    assert next(model.parameters()).grad is not None


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_without_the_hint_a_step_waits(family: str) -> None:
    with pytest.raises(HostReadError):
        _make_step(_make_model(family, 1), "cpu", nullcontext())


# Compiled


@dataclass(frozen=True)
class _Pass:
    """What a pass of a stack left: logits, and each parameter's gradient."""

    logits: torch.Tensor
    gradients: dict[str, torch.Tensor]


def _pass(run: Any, model: Any, dropout: DeviceDropout, tokens: int) -> _Pass:
    """One of `run`, the stack or what it was compiled to."""
    inputs = _make_inputs(4, tokens)
    for x in inputs.values():
        torch._dynamo.mark_dynamic(x, 1)
    model.zero_grad()
    with pretend_capture(), dropout:
        logits = run(**inputs).logits
    logits.square().sum().backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return _Pass(logits.detach(), gradients)


@pytest.mark.parametrize(
    "family",
    ["deberta-v2", *(pytest.param(one, marks=pytest.mark.long) for one in ("roberta", "mpnet", "llama"))],
)
def test_one_graph_serves_all_lengths_and_passes(family: str) -> None:
    """One compilation without a break: for other lengths, other pass numbers in the same tensor, and a new
    context; dropout on, and what it computes is what eager passes do."""
    torch._dynamo.reset()
    model, counter = _make_model(family, 2), CompileCounterWithBackend("aot_eager")
    compiled: Any = torch.compile(model, backend=counter, fullgraph=True)
    dropout, seen = _make_dropout(*SEEDS), []
    for tokens in (9, 9, 14):
        for context in (dropout, dropout.copy()):
            mine, eager = _pass(compiled, model, context, tokens), _pass(model, model, context, tokens)
            assert torch.allclose(mine.logits, eager.logits, rtol=0, atol=1e-12)
            assert mine.gradients.keys() == eager.gradients.keys()
            for name, gradient in eager.gradients.items():
                assert max_difference(mine.gradients[name], gradient) < 1e-12, name
        seen.append(mine.logits)
        dropout.passes += 1
    assert counter.frame_count == 1
    assert max_difference(seen[0], seen[1]) > 1e-3  # the same inputs, met by other masks


# Computed again


@pytest.mark.parametrize("family", ["roberta", "deberta-v2", "llama"])
def test_activations_computed_again_meet_the_same_masks(family: str) -> None:
    kept, again = _make_model(family, 2), _make_model(family, 2)
    assert enable_gradient_checkpointing(again.model)
    expected, actual = (_pass(model, model, _make_dropout(*SEEDS), 9) for model in (kept, again))
    assert max_difference(expected.logits, actual.logits) < 1e-12
    for name, gradient in expected.gradients.items():
        assert max_difference(gradient, actual.gradients[name]) < 1e-12, name


# In a pack


@pytest.mark.parametrize("family", ["roberta", "bert", "deberta-v2", "gpt2", "bloom", "llama", "mpnet"])
def test_members_of_a_pack_pass_as_they_do_alone(family: str) -> None:
    """Members of 3, 1 and 2 rows, of 7, 9 and 5 tokens, and of other numbers of passes; padded to 3 x 9."""
    sizes, passes = [(3, 7), (1, 9), (2, 5)], [4, 0, 9]
    seeds = range(len(sizes))
    models = [make_tiny_model(family, seed=r, dropout=0.2) for r in seeds]
    batches = [_make_inputs(*size) for size in sizes]
    together = stack(models)
    inputs = {name: torch.cat([_pad(batch[name], name, 3, 9) for batch in batches]) for name in batches[0]}
    keys = torch.from_numpy(derive_keys(seeds))
    with DeviceDropout(keys, torch.tensor(passes)):
        logits = together(**inputs).logits.view(3, 3, -1)
    losses = [_compute_loss(logits[r, : sizes[r][0]]) for r in seeds]
    sum(losses).backward()  # type: ignore[union-attr]
    gradients = dict(together.model.named_parameters())
    for r in seeds:
        with DeviceDropout(keys[r : r + 1], torch.tensor(passes[r : r + 1])):
            alone = _compute_loss(models[r](**batches[r]).logits)
        alone.backward()  # type: ignore[no-untyped-call]
        assert max_difference(losses[r], alone) < 1e-9
        for name, parameter in models[r].named_parameters():
            if parameter.grad is not None:
                gradient = gradients[name].grad
                assert gradient is not None
                assert max_difference(gradient[r], parameter.grad) < 1e-9, name


def _pad(x: torch.Tensor, name: str, rows: int, tokens: int) -> torch.Tensor:
    """Rows as a pack fills a member up: of padding, but that a first token is seen."""
    filled = F.pad(x, (0, tokens - x.size(1), 0, rows - x.size(0)), value=PAD if name == "input_ids" else 0)
    if name == "attention_mask":
        filled[x.size(0) :, 0] = 1
    return filled


def _compute_loss(logits: torch.Tensor) -> torch.Tensor:
    """A mean over one member's own rows."""
    return F.cross_entropy(logits, torch.arange(len(logits)) % 3)
