"""What is sent to a device: the batches of the host, value for value, in shapes that do not change."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from headstart.data.batches import collate
from headstart.engine.dropout.philox import PASSES
from headstart.engine.feeds import IndexFeed, choose_lengths_per_octave, create_feed
from headstart.engine.member import Member, iter_step_batches
from headstart.engine.staged import StagedExamples
from headstart.errors import TrainingError
from tiny import PAD, make_tiny_context, make_tiny_run

CONTEXT = make_tiny_context()
RUNS = ((make_tiny_run(0, accumulation=2), np.arange(60)), (make_tiny_run(1), np.arange(7, 11)))


def _open(members: list[Member]) -> IndexFeed:
    train = CONTEXT.parts["train"]
    feed = create_feed(members, CONTEXT, StagedExamples(train.tokens, train.labels, PAD, torch.device("cpu")))
    assert isinstance(feed, IndexFeed)
    return feed


@pytest.mark.parametrize("steps", [1, 3])
def test_what_is_read_is_what_the_host_would_collate(steps: int) -> None:
    """The second member has fewer texts than a batch, and in the second pass of a step none."""
    members = [Member(*case) for case in RUNS]
    streams = [iter_step_batches(member, CONTEXT) for member in members]
    feed, train = _open(members), CONTEXT.parts["train"]
    for step_batches in islice(zip(*streams, strict=False), steps):
        for i in range(2):
            fed = feed.read(feed.send(step_batches, i))
            assert fed.weights.shape == (2, 6)
            assert fed.passes.tolist() == [member.micro_batches + i for member in members]
            for r, batches in enumerate(step_batches):
                own = batches.batches[i] if i < len(batches.batches) else np.empty(0, int)
                expected = collate(train.tokens, own, train.labels[own], PAD) if len(own) else None
                rows = slice(6 * r, 6 * r + len(own))
                terms = sum(map(len, batches.batches))
                assert fed.weights[r].tolist() == [1 / terms] * len(own) + [0] * (6 - len(own))
                if expected is not None:
                    width = expected.input_ids.shape[1]
                    ids = fed.batch.inputs["input_ids"][rows]
                    assert np.array_equal(ids[:, :width], expected.input_ids)
                    assert (ids[:, width:] == PAD).all()
                    assert np.array_equal(fed.batch.labels[rows], expected.labels)
        for member, batches in zip(members, step_batches, strict=True):
            member.advance(len(batches.batches))


@pytest.mark.parametrize("steps", [10, 100_000])
def test_no_text_is_cut(steps: int) -> None:
    member = Member(make_tiny_run(0, steps=steps), np.arange(60))
    feed, lengths = _open([member]), CONTEXT.parts["train"].tokens.lengths
    for turn in islice(iter_step_batches(member, CONTEXT), 10):
        assert feed.send([turn], 0).tokens >= lengths[turn.batches[0]].max()


def test_many_steps_are_worth_more_lengths() -> None:
    assert choose_lengths_per_octave(10) < choose_lengths_per_octave(100_000)


def test_more_passes_than_masks_can_be_told_apart_are_refused() -> None:
    run, index = RUNS[0]
    training = run.training.model_copy(update={"steps": PASSES // 2 + 1})
    with pytest.raises(TrainingError, match="4,194,306 forward passes"):
        _open([Member(replace(run, training=training), index)])
