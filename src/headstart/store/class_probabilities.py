"""Reads the probabilities that a run's model gave the classes of the test examples, and which examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from headstart.os_faults import reading
from headstart.store.damaged_tables import telling_damage
from headstart.store.predictions import PREDICTIONS_FILE


@dataclass(frozen=True, eq=False)
class ClassProbabilities:
    """Of N test examples their `ids` [N], and `probabilities` [N, C] of the classes."""

    ids: np.ndarray
    probabilities: np.ndarray


def read_class_probabilities(folder: Path, names: tuple[str, ...]) -> ClassProbabilities:
    """Those of the run whose folder it is, of the C classes `names`, in their order.

    Raises:
        DamagedFileError: they cannot be read.
    """
    file = folder / PREDICTIONS_FILE
    with telling_damage(file, "predictions"):
        with reading(file):
            table = pq.read_table(file, columns=["id", *(f"p_{name}" for name in names)])
        ids, *columns = (column.to_numpy() for column in table.itercolumns())
        return ClassProbabilities(ids, np.stack(columns, 1))
