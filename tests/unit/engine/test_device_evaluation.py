"""An evaluation on a device copies nothing from the host and waits for nothing, whatever the family."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headstart.engine.device_evaluation import plan_forward
from headstart.engine.evaluate import keep_logits
from headstart.engine.graphs import Capturing, Graphs
from headstart.engine.modes import evaluation_mode
from headstart.engine.stack import stack
from headstart.engine.staged import StagedExamples
from host_reads import ForbidHostReads
from tiny import FAMILIES, PAD, make_tiny_model, make_tiny_tokens


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_pass_waits_for_nothing_and_copies_nothing(family: str, members: int) -> None:
    """On the meta device what the host would copy shows: it stands for one that is elsewhere."""
    models, tokens, device = [make_tiny_model(family)] * members, make_tiny_tokens(6), torch.device("meta")
    module = (stack(models) if members > 1 else models[0]).to(device)
    staged = StagedExamples(tokens, np.zeros(len(tokens)), PAD, device)
    graphs = Graphs(Capturing(None))
    forward = plan_forward(module, tokens, staged, keep_logits, precision="fp64", graphs=graphs)
    (batch,) = forward.windows[0].batches
    with evaluation_mode(module), ForbidHostReads("meta"):
        forward._compute(batch)
    assert batch.outputs is not None
    assert batch.outputs.shape == (members, 6, 3)
