"""`headstart predict` of texts, or of a file that is only shown: predictions as values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from headstart.commands.predict import Predictor, open_predictor
from headstart.data.corpus import Text
from headstart.data.delimited import read_separator
from headstart.data.formats import read_cells
from headstart.data.texts import check_encodable, read_text
from headstart.errors import DataError
from headstart.records import SCHEMA_VERSION
from headstart.shown import Shown

#: How columns of probabilities are called.
_PREFIX: Final = "p_"
#: Rows of a file that are read at once.
_CHUNK: Final = 2048


@dataclass(frozen=True)
class TextPrediction:
    """What a model says of a text: a label, several, or a number; the probability of each class, if any."""

    text: Text
    predicted: Any
    probabilities: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        text = self.text if isinstance(self.text, str) else list(self.text)
        values = {"text": text, "predicted": self.predicted}
        return values | ({"probabilities": self.probabilities} if self.probabilities else {})


@dataclass(frozen=True, repr=False)
class TextPredictions(Shown, view="headstart.report.views.predictions:PREDICTIONS"):
    """A model's predictions, in the order of the texts."""

    model: str
    predictions: tuple[TextPrediction, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        predictions = [prediction.to_dict() for prediction in self.predictions]
        return {"schema_version": SCHEMA_VERSION, "model": self.model, "predictions": predictions}


def predict_texts(model: str | Path, texts: Sequence[str]) -> TextPredictions:
    """Label texts with the model in folder `model`.

    Example:
        print(headstart.predict_texts("runs/study/models/pretrained", ["a warm film", "a flat film"]))

    Raises:
        DataError: a text is empty, or the model takes pairs of texts.
        ModelError: no model in the folder.
    """
    for number, text in enumerate(texts, start=1):
        _check_text(text, f"text {number}")
    predictor = open_predictor(Path(model))
    if not isinstance(predictor.text, str):
        raise DataError(
            f"single texts, for a model that takes pairs ({', '.join(predictor.text)})",
            where=str(model),
            expected="a file with both columns, or --format csv on standard input",
        )
    return TextPredictions(str(model), tuple(_label(predictor, texts)))


def predict_rows(
    model: str | Path, source: Path, *, text: str | None = None, separator: str = ","
) -> TextPredictions:
    """Label the texts of file `source`, as `commands.predict.predict`, and write nothing.

    Raises:
        DataError, ModelError: as `commands.predict.predict`.
    """
    rows = iter(read_cells(source, separator=read_separator(separator)))
    open_once = cache(partial(open_predictor, Path(model), text))  # when the file is known to have rows
    found: list[TextPrediction] = []
    while chunk := list(islice(rows, _CHUNK)):
        predictor = open_once()
        texts = [read_text(cells, predictor.text, where, "--text") for where, cells in chunk]
        found += _label(predictor, texts, [where for where, _ in chunk])
    return TextPredictions(str(model), tuple(found))


def _check_text(text: str, where: str) -> None:
    if not text.strip():
        raise DataError("is empty", where=where, expected="a text")
    check_encodable(text, "the text", where)


def _label(
    predictor: Predictor, texts: Sequence[Text], places: Sequence[str] = ()
) -> Iterator[TextPrediction]:
    for text, row in zip(texts, predictor.predict(texts, places) if texts else [], strict=True):
        probabilities = {
            name.removeprefix(_PREFIX): value for name, value in row.items() if name.startswith(_PREFIX)
        }
        yield TextPrediction(text, row["predicted"], probabilities)
