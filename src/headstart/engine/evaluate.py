"""Runs a model over texts without gradient, window by window in the texts' own order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from headstart.config.traits import TaskName
from headstart.data.batches import Batch, pad, reading_order, target_counts
from headstart.data.tokenise import Tokens
from headstart.engine.device import Precision, autocast
from headstart.engine.losses import token_losses
from headstart.engine.metrics import meter
from headstart.engine.modes import evaluating
from headstart.engine.stack import members_in
from headstart.engine.step import forward_inputs, spoken
from headstart.records import Scores
from headstart.stats.metrics import TOKEN_METRICS, score_sums

#: Tokens in one forward pass: enough to keep the processor busy, few enough to stay in its caches.
MOST_TOKENS = 4096
#: Texts whose logits are held at once, to be put back into their order.
WINDOW = 4096


def window_logits(
    module: torch.nn.Module, tokens: Tokens, *, pad_id: int, device: torch.device, precision: Precision
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Logits in the order of the texts: (which texts, float32 or float64 [n, C] on the CPU) per window."""
    windows = member_logits(module, tokens, pad_id=pad_id, device=device, precision=precision)
    return ((where, logits[0]) for where, logits in windows)


def member_logits(
    module: torch.nn.Module, tokens: Tokens, *, pad_id: int, device: torch.device, precision: Precision
) -> Iterator[tuple[slice, torch.Tensor]]:
    """As `window_logits`, for each member of a stack on the same texts: [R, n, C]; a plain model is R = 1."""
    members = members_in(module)
    most = max(1, MOST_TOKENS // members)
    with evaluating(module):
        start = 0
        for batches in reading_order(tokens.lengths, most, WINDOW):
            index = np.concatenate(batches)
            parts = [_logits(module, members, pad(tokens, b, b, pad_id), device, precision) for b in batches]
            logits = torch.cat(parts, dim=1)
            ordered = torch.empty_like(logits)
            ordered[:, torch.from_numpy(index - start)] = logits
            yield slice(start, start + len(index)), ordered
            start += len(index)


def _logits(
    module: torch.nn.Module, members: int, batch: Batch, device: torch.device, precision: Precision
) -> torch.Tensor:
    """[R, n, C] of a batch of n texts, which every member reads."""
    inputs = _for_every_member(batch, members, device)
    with torch.inference_mode(), autocast(device, precision):
        logits: torch.Tensor = module(**inputs).logits
    by_member = logits.view(members, -1, logits.shape[-1])
    return by_member.to("cpu", torch.float64 if precision == "fp64" else torch.float32)


def _for_every_member(batch: Batch, members: int, device: torch.device) -> dict[str, torch.Tensor]:
    """The batch's rows once for each member."""
    inputs = forward_inputs(batch, device)
    return {name: rows.repeat(members, 1) for name, rows in inputs.items()} if members > 1 else inputs


def evaluate(
    module: torch.nn.Module,
    tokens: Tokens,
    labels: np.ndarray,
    *,
    task: TaskName,
    classes: int,
    pad_id: int,
    device: torch.device,
    precision: Precision,
) -> list[Scores]:
    """The task's metrics on N texts with labels [N] or [N, C], for each member of `module`.

    For instruction: mean loss, perplexity and accuracy of the tokens that carry loss.
    """
    if task == "instruction":
        return token_scores(module, tokens, pad_id=pad_id, device=device, precision=precision)
    counted = [meter(task, classes) for _ in range(members_in(module))]
    for where, logits in member_logits(module, tokens, pad_id=pad_id, device=device, precision=precision):
        for one, own in zip(counted, logits, strict=True):
            one.add(own, torch.from_numpy(labels[where]))
    return [one.scores() for one in counted]


def token_scores(
    module: torch.nn.Module, tokens: Tokens, *, pad_id: int, device: torch.device, precision: Precision
) -> list[Scores]:
    """Loss, perplexity exp(loss) and accuracy per token that carries loss, for each member of `module`."""
    sums = text_sums(module, tokens, pad_id=pad_id, device=device, precision=precision)
    counts = target_counts(tokens)
    return [scores_of_sums(own, counts) for own in sums]


def scores_of_sums(sums: np.ndarray, counts: np.ndarray) -> Scores:
    """The metrics of `token_scores` from one member's `text_sums` [N, 2] and the tokens of each text [N]."""
    return score_sums(TOKEN_METRICS, np.array([*sums.sum(0), counts.sum()]))


def text_sums(
    module: torch.nn.Module, tokens: Tokens, *, pad_id: int, device: torch.device, precision: Precision
) -> np.ndarray:
    """Sums over each text's targets, [R, N, 2]: of losses, and of tokens that were the likeliest."""
    members = members_in(module)
    sums = np.zeros((members, len(tokens.lengths), 2))
    with evaluating(module):
        for window in reading_order(tokens.lengths, max(1, MOST_TOKENS // members), WINDOW):
            for index in window:
                batch = pad(tokens, index, index, pad_id)
                sums[:, index] = _token_sums(module, members, batch, device, precision)
    return sums


def _token_sums(
    module: torch.nn.Module, members: int, batch: Batch, device: torch.device, precision: Precision
) -> np.ndarray:
    """Sums over each text's targets, [R, B, 2]: of losses, and of tokens that were the likeliest."""
    assert batch.targets is not None
    inputs = _for_every_member(batch, members, device)
    more, targets = spoken(module, batch, device)
    targets = targets.repeat(members, 1)
    with torch.inference_mode(), autocast(device, precision):
        logits = module(**inputs, **more).logits
    losses = token_losses(logits, targets).double().sum(-1)
    rights = ((logits.argmax(-1) == targets) & (targets >= 0)).sum(-1)
    return torch.stack([losses, rights.double()], -1).view(members, -1, 2).cpu().numpy()
