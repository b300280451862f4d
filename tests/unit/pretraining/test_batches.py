"""Which blocks come when, and in which shapes."""

from __future__ import annotations

import numpy as np

from headstart.pretraining.batches import BlockReader, draw_ahead, select_blocks
from headstart.pretraining.language_model import IGNORED
from tiny_pretraining import BLOCK, TOKENIZER, VOCABULARY, make_blocks, make_settings


def test_each_epoch_visits_each_block_once_in_an_order_of_its_own() -> None:
    series = select_blocks(7, 3, np.arange(21)).reshape(3, 7)
    assert (np.sort(series) == np.arange(7)).all()
    assert len({tuple(epoch) for epoch in series.tolist()}) == 3
    across = np.concatenate([select_blocks(7, 3, np.arange(i, i + 5)) for i in (0, 5, 10, 15)])
    assert (across == series.reshape(-1)[:20]).all()


def test_masks_are_a_function_of_the_step_and_not_of_how_it_is_cut() -> None:
    blocks = make_blocks()
    whole = BlockReader(make_settings(batch_size=8), TOKENIZER, VOCABULARY).draw_step(blocks, 1, 99)
    cut = BlockReader(make_settings(batch_size=2, accumulation=4), TOKENIZER, VOCABULARY).draw_step(
        blocks, 1, 99
    )
    inputs = np.concatenate([one.input_ids for one in cut.passes])
    assert (inputs == whole.passes[0].input_ids).all()
    assert cut.targets == whole.targets > 0
    other = BlockReader(make_settings(batch_size=8), TOKENIZER, VOCABULARY).draw_step(blocks, 3, 99)
    assert other.passes[0].labels.tolist() != whole.passes[0].labels.tolist()


def test_shapes_stay_where_they_have_to_and_what_fills_them_is_not_predicted() -> None:
    blocks, settings = make_blocks(), make_settings(batch_size=4)
    reader = BlockReader(settings, TOKENIZER, VOCABULARY, static=True)
    steps = [reader.draw_step(blocks, step, 14) for step in range(4)]
    shapes = {(one.input_ids.shape, one.labels.shape) for step in steps for one in step.passes}
    assert shapes == {((4, BLOCK), (4 * 2,))}  # of 12 tokens 2 at most: 15%, rounded up
    assert steps[3].tokens == 2 * BLOCK
    for step in steps:
        assert sum((one.labels != IGNORED).sum() for one in step.passes) == step.targets


def test_of_a_causal_model_the_next_token_is_predicted() -> None:
    reader = BlockReader(make_settings("causal-lm"), TOKENIZER, VOCABULARY)
    batch = reader.draw_step(make_blocks(), 0, 99)
    labels = batch.passes[0].labels.reshape(-1, BLOCK)
    assert (labels[:, :-1] == batch.passes[0].input_ids[:, 1:]).all()
    assert (labels[:, -1] == IGNORED).all()
    assert batch.targets == 4 * (BLOCK - 1)


def test_batches_drawn_ahead_come_in_order() -> None:
    reader, blocks = BlockReader(make_settings(), TOKENIZER, VOCABULARY), make_blocks()
    ahead = list(draw_ahead(lambda step: reader.draw_step(blocks, step, 99), 2, 7))
    for step, batch in enumerate(ahead, start=2):
        expected = reader.draw_step(blocks, step, 99)
        assert (batch.passes[0].input_ids == expected.passes[0].input_ids).all()
