"""Counts what a command prepares, reads and starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as parquet
import pytest

from headstart.execute import local, open_study
from headstart.records import RunRecord
from headstart.training import prepare

#: What is counted, by where it is called.
_CALLS: dict[str, tuple[Any, str]] = {
    "studies prepared": (open_study, "prepare_study"),
    "data loaded": (prepare, "load_corpus"),
    "checkpoints opened": (prepare, "open_checkpoint"),
    "records parsed": (RunRecord, "model_validate_json"),
    "predictions read": (parquet, "read_table"),
    "workers started": (local, "_Worker"),
}


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, int]]:
    """Begins to count, from nothing."""
    calls = Counter[str]()

    def count(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*words: Any, **more: Any) -> Any:
            calls[name] += 1
            return call(*words, **more)

        return counted

    for name, (place, attribute) in _CALLS.items():
        monkeypatch.setattr(place, attribute, count(name, getattr(place, attribute)))

    def begin() -> dict[str, int]:
        calls.clear()
        return calls

    return begin
