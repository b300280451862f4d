"""Reads the probabilities that a run's model gave the classes of the test examples, and which examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headstart.errors import DamagedFileError
from headstart.store.predictions import PREDICTIONS_FILE, describe_cause


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
    try:
        table = pq.read_table(file, columns=["id", *(f"p_{name}" for name in names)])
        ids, *columns = (column.to_numpy() for column in table.itercolumns())
    except (OSError, pa.ArrowException, LookupError, ValueError) as error:
        raise DamagedFileError(
            f"predictions cannot be read: {describe_cause(error)}", where=str(file), fix="run the study again"
        ) from error
    return ClassProbabilities(ids, np.stack(columns, 1))
