"""The examples of one part of the data on the device, staged once; batches are gathered there by index.

So a step sends the places of its examples and no tokens. Equal to `data.batches.collate`, value for value.

Shapes: N examples, n of a batch, T tokens, K of them whose logits are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from headstart.data.batches import IGNORE_INDEX
from headstart.data.tokenise import Tokens


@dataclass(frozen=True)
class DeviceBatch:
    """Keyword arguments of a Hugging Face model for n examples, and what its logits are compared with."""

    inputs: dict[str, torch.Tensor]
    labels: torch.Tensor


class StagedExamples:
    """N tokenised examples with their labels [N] or [N, C], on a device.

    `spans` [N, 2], on the host, are of conversations: the first and one past the last token with a label.
    """

    def __init__(self, tokens: Tokens, labels: np.ndarray, pad_id: int, device: torch.device) -> None:
        self.device = device
        self._pad_id, self._labels = pad_id, torch.from_numpy(labels).to(device)
        self._input_ids = _stage(tokens.input_ids, device)
        self._starts = _stage(tokens.starts[:-1].astype(np.int64), device)
        self._lengths = _stage(tokens.lengths.astype(np.int64), device)
        types, mask = tokens.token_type_ids, tokens.loss_mask
        self._token_types = None if types is None else _stage(types, device)
        self._loss_mask = None if mask is None else _stage(mask, device)
        self.spans = None if mask is None else find_label_spans(tokens)

    def gather(self, index: torch.Tensor, tokens: int) -> DeviceBatch:
        """The examples at `index` [n], padded on the right to `tokens`; none of them may be longer."""
        places = self._starts[index].unsqueeze(1) + torch.arange(tokens, device=index.device)
        inside = torch.arange(tokens, device=index.device) < self._lengths[index].unsqueeze(1)
        # A place behind an example is another's, or none at the very end: whatever is read there is masked.
        places = places.clamp(max=len(self._input_ids) - 1)
        ids = torch.where(inside, self._input_ids[places].long(), self._pad_id)
        inputs = {"input_ids": ids, "attention_mask": inside.long()}
        if self._token_types is not None:
            inputs["token_type_ids"] = torch.where(inside, self._token_types[places].long(), 0)
        if self._loss_mask is None:
            return DeviceBatch(inputs, self._labels[index])
        return DeviceBatch(inputs, _shift_labels(ids, inside & self._loss_mask[places]))


def _stage(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """A copy on the device: those of a cache are mapped from files, and are not to be written."""
    return torch.tensor(values, device=device)


def _shift_labels(ids: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """For each token the next one's id where the loss counts that one, [n, T]."""
    labels = torch.where(counts, ids, IGNORE_INDEX)[:, 1:]
    return torch.nn.functional.pad(labels, (0, 1), value=IGNORE_INDEX)


def find_label_spans(tokens: Tokens) -> np.ndarray:
    """The first token of each conversation that has a label, and one past the last, [N, 2]; 0, 0 for none.

    A token's label is the next one.
    """
    assert tokens.loss_mask is not None
    spans = np.zeros((len(tokens), 2), np.int64)
    for i, (start, stop) in enumerate(zip(tokens.starts[:-1], tokens.starts[1:], strict=True)):
        places = np.flatnonzero(tokens.loss_mask[start + 1 : stop])
        if len(places):
            spans[i] = places[0], places[-1] + 1
    return spans


def choose_kept_span(spans: np.ndarray, tokens: int) -> tuple[int, int]:
    """Where the kept logits of a batch of T = `tokens` begin, and how many they are: every label's.

    Their number is a multiple of a quarter of T, so that few shapes of a step occur.
    """
    with_labels = spans[spans[:, 1] > 0]
    if not len(with_labels):
        return 0, min(tokens, -(-tokens // 4))
    first, last = int(with_labels[:, 0].min()), int(with_labels[:, 1].max())
    quarter = -(-tokens // 4)
    kept = min(tokens, -(-(last - first) // quarter) * quarter)
    return min(first, tokens - kept), kept
