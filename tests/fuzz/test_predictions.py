"""Files that a saved model is to label: odd cells and broken bytes, in every format it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_files import WHOLE, write_csv
from fuzzing import own_folder, run_to_end
from headstart.commands import predict as prediction
from headstart.data.formats import read_cells
from odd_values import mutated_bytes, scalars, texts, values, write_json


@pytest.fixture(scope="module")
def predictor(tiny_model: Path) -> Any:
    """A model that is loaded once."""
    return prediction.open_predictor(tiny_model)


def label(predictor: Any, folder: Path, name: str, content: bytes, separator: str = ",") -> None:
    """Label a file; what is written is read back with as many rows."""
    source, target = folder / name, folder / f"labelled{Path(name).suffix}"
    source.write_bytes(content)
    with patch.object(prediction, "open_predictor", lambda *_: predictor):
        rows = run_to_end(prediction.predict, folder, source, target, separator=separator, folder=folder)
    if rows:
        labelled = list(read_cells(target, separator=separator))
        assert len(labelled) == rows
        assert all("predicted" in cells for _, cells in labelled)


@given(data=st.data(), suffix=st.sampled_from(sorted(WHOLE)))
def test_broken_bytes(predictor: Any, data: st.DataObject, suffix: str) -> None:
    with own_folder() as folder:
        label(predictor, folder, f"texts{suffix}", data.draw(mutated_bytes(WHOLE[suffix])))


@given(
    rows=st.lists(st.lists(texts(), min_size=1, max_size=3), max_size=4), separator=st.sampled_from(",;|x")
)
def test_odd_cells(predictor: Any, rows: list[list[str]], separator: str) -> None:
    with own_folder() as folder:
        content = write_csv([["text", "b", "c"][: len(rows[0]) if rows else 1], *rows], separator)
        label(predictor, folder, "texts.csv", content, separator)


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"text": st.one_of(texts(), scalars())}, optional={"b": values(), "c": scalars()}
        ),
        max_size=4,
    )
)
def test_odd_json(predictor: Any, rows: list[dict[str, Any]]) -> None:
    with own_folder() as folder:
        label(predictor, folder, "texts.jsonl", "\n".join(map(write_json, rows)).encode())
