"""Finds and reads the predictions of a run, each file once; what a table holds, `prediction_tables` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from headstart.os_faults import reading
from headstart.store.damaged_tables import telling_damage
from headstart.store.prediction_tables import Predictions, parse_table

#: Metrics of a language model's tokens.
TOKEN_METRICS: Final = frozenset({"loss", "perplexity", "token_accuracy"})
PREDICTIONS_FILE: Final = "predictions.parquet"
TOKENS_FILE: Final = "tokens.parquet"


class PredictionReader:
    """Reads each run's predictions once, however many metrics are computed from them.

    What is read is kept, so a run must have ended.
    """

    def __init__(self, get_folder: Callable[[str], Path]) -> None:
        self._get_folder = get_folder
        self._kept: dict[Path, Predictions] = {}

    def __call__(self, key: str, metric: str) -> Predictions | None:
        """As `read_predictions`, of the folder of run `key`.

        Raises:
            DamagedFileError: the file cannot be read.
        """
        file = find_predictions(self._get_folder(key), metric)
        if file is None:
            return None
        if file not in self._kept:
            self._kept[file] = _read_file(file)
        return self._kept[file]


def read_predictions(folder: Path, metric: str) -> Predictions | None:
    """What a run's folder holds that `metric` is computed from; None where it was deleted.

    Raises:
        DamagedFileError: the file cannot be read.
    """
    file = find_predictions(folder, metric)
    return None if file is None else _read_file(file)


def find_predictions(folder: Path, metric: str) -> Path | None:
    """The file of a run's folder that `metric` is computed from; None where it was deleted."""
    file = folder / TOKENS_FILE
    if metric not in TOKEN_METRICS or not file.exists():
        file = folder / PREDICTIONS_FILE
    return file if file.exists() else None


def _read_file(file: Path) -> Predictions:
    with telling_damage(file, "predictions"):
        if not file.is_file():
            raise OSError("it is not a file")
        with reading(file):
            table = pq.read_table(file)
        return parse_table(table)
