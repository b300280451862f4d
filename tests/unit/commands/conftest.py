"""What tests of commands share: a configuration, and counts of what a command prepares, reads and starts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

import headstart


@pytest.fixture
def bloom_config(tmp_path: Path) -> Path:
    """A BLOOM's `config.json` and nothing beside it."""
    shape = {"model_type": "bloom", "vocab_size": 300, "hidden_size": 64, "n_layer": 2, "n_head": 2}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(shape | {"architectures": ["BloomForCausalLM"]}), encoding="utf-8")
    return file


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, int]]:
    """Begins to count, from nothing."""
    from headstart.execute import open_study, pool
    from headstart.records import RunRecord
    from headstart.training import prepare

    counted: dict[str, tuple[Any, str]] = {
        "studies prepared": (open_study, "prepare_study"),
        "data loaded": (prepare, "load_corpus"),
        "checkpoints opened": (prepare, "open_checkpoint"),
        "records parsed": (RunRecord, "model_validate"),
        "predictions read": (parquet, "read_table"),
        "workers started": (pool, "WorkerProcess"),
    }
    calls = Counter[str]()

    def count(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def call_and_count(*words: Any, **more: Any) -> Any:
            calls[name] += 1
            return call(*words, **more)

        return call_and_count

    for name, (place, attribute) in counted.items():
        monkeypatch.setattr(place, attribute, count(name, getattr(place, attribute)))

    def begin() -> dict[str, int]:
        calls.clear()
        return calls

    return begin


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, study_in: Callable[..., Path]) -> Path:
    """The output of a small study of three seeds."""
    where = tmp_path_factory.mktemp("compared")
    headstart.run(headstart.load_study(study_in(where, seeds=[0, 1, 2])))
    return where / "out"
