"""The record of a pretraining: what was trained on what, how it went, and how fast."""

from __future__ import annotations

from typing import Any, Literal

from headstart.records.base import Record
from headstart.records.run import EpochPoint


class PretrainingRecord(Record):
    """What `pretraining.json` holds.

    Losses are in nats per predicted token. `unigram_entropy` is the loss of a model that knows how often each
    token occurs in the training blocks and no more. `bits_per_byte` is loss x tokens / (ln 2 x bytes) of the
    validation blocks: of a masked-language model it is no code length of the text, as each token is read with
    what stands behind it. `flops_share` is the share of the device's peak, None where that is not known.
    `captured` says whether passes were replayed as CUDA graphs, `eager_reason` why something was not compiled
    or not captured that was to be.
    """

    schema_version: Literal[1] = 1
    settings: dict[str, Any]
    versions: dict[str, str]
    device: str
    precision: str
    compiled: bool
    captured: bool = False
    eager_reason: str | None
    parameters: int
    train_digest: str
    valid_digest: str
    train_blocks: int
    valid_blocks: int
    steps: int
    tokens: int
    targets: int
    seconds: float
    tokens_per_second: float
    flops_share: float | None
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    bits_per_byte: float
    unigram_entropy: float
    points: tuple[EpochPoint, ...]
