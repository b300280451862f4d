"""Small files of texts in every format that is read, as bytes."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

ROWS: Final = [{"text": f"a text, {i}", "label": "good"} for i in range(4)]


def write_csv(rows: list[list[str]], delimiter: str = ",") -> bytes:
    """Rows of cells, quoted where they have to be."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


def write_parquet(rows: list[dict[str, Any]]) -> bytes:
    """A table of rows that are alike."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue())


#: A whole file by its suffix.
WHOLE: Final = {
    ".csv": write_csv([["text", "label"], *([row["text"], row["label"]] for row in ROWS)]),
    ".tsv": write_csv([["text", "label"], *([row["text"], row["label"]] for row in ROWS)], "\t"),
    ".jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    ".json": json.dumps(ROWS, indent=1).encode(),
    ".parquet": write_parquet(ROWS),
}
