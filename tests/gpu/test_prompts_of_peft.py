"""PEFT's prompts, trained on a GPU: the numbers are those of the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from device_studies import (
    copy_checkpoint,
    find_gaps,
    make_tiny_llama,
    own_cache,
    run_on_host,
    run_study,
    write_study,
)

pytest.importorskip("peft")
_TYPES: dict[str, dict[str, Any]] = {
    "prompt": {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3},
    "p-tuning": {"peft_type": "P_TUNING", "num_virtual_tokens": 3, "encoder_hidden_size": 8},
    "prefix": {"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3},
}
_ARMS = {name: {"method": "peft", "peft": settings} for name, settings in _TYPES.items()}


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("classification", "bert"),
        ("instruction", "bloom"),
        pytest.param("instruction", "llama", marks=pytest.mark.long),
    ],
)
def test_prompts_learn_what_they_learn_on_the_host(
    name: str, family: str, tiny_model: Path, tiny_bloom: Path, device: torch.device, tmp_path: Path
) -> None:
    folder = tmp_path / family
    if family == "llama":
        make_tiny_llama(tiny_bloom, folder, 0.0)
    else:
        copy_checkpoint({"bert": tiny_model, "bloom": tiny_bloom}[family], folder, 0.0)
    changes: dict[str, Any] = {"arms": _ARMS, "training": {"precision": "fp64"}, "seeds": 1}
    with own_cache(tmp_path / "host-cache"):
        expected = run_on_host(write_study(tmp_path / "host", name, folder, **changes))
    with own_cache(tmp_path / "cache"):
        file = write_study(tmp_path / "it", name, folder, device=device.type, **changes)
        done = run_study(file, device)
    assert not {key: run.error for key, run in done.records.items() if run.status != "done"}
    assert {key: gap for key, gap in find_gaps(done, expected).items() if gap > 1e-6} == {}
