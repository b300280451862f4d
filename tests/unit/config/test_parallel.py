"""The study file's `parallel`: a kind or a section, and what cannot be beside it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headstart.config.parallel import Parallel
from headstart.config.study import Study


def _read(**changes: Any) -> Study:
    return Study.model_validate({"data": {"path": "a.csv"}, "model": "m"} | changes)


def test_a_kind_alone_is_the_section_with_that_kind() -> None:
    assert _read().parallel is None
    assert _read(parallel="fsdp").parallel == Parallel(kind="fsdp")
    assert _read(parallel={"kind": "ddp", "processes": 2}).parallel == Parallel(kind="ddp", processes=2)


@pytest.mark.parametrize(
    "parallel",
    ["zero", {"processes": 2}, {"kind": "ddp", "processes": 1}, {"kind": "ddp", "timeout": 0}],
    ids=["unknown", "no kind", "one process", "no time"],
)
def test_other_values_are_refused(parallel: Any) -> None:
    with pytest.raises(ValidationError):
        _read(parallel=parallel)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"arms": {"a": {}, "b": {"method": "lora"}, "c": {"init": "random"}}}, None),
        ({"arms": {"a": {}, "words": {"method": "bag-of-words"}}}, None),
        ({"pack": 1, "workers": 1}, None),
        ({"pack": 3}, "pack: 3"),
        ({"workers": 2}, "workers: "),
        ({"arms": {"a": {"method": "probe"}}}, "arms.a.method: probe"),
    ],
    ids=["methods", "words", "one", "pack", "workers", "probe"],
)
def test_what_cannot_be_beside_it_is_named(changes: dict[str, Any], refused: str | None) -> None:
    assert _read(**changes).parallel is None  # without it all of these are studies
    if refused is None:
        assert _read(parallel="ddp", **changes).parallel is not None
    else:
        with pytest.raises(ValidationError, match=refused):
            _read(parallel="ddp", **changes)
