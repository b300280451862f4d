"""Reads logs of Inspect: `.eval`, a ZIP of JSON, and `.json`, one object.

A log has `status`, `eval` (`task`, `model`) and samples with `id`, `epoch` and `scores` by scorer
(inspect_ai/log/_log.py, EvalLog). In a `.eval` they are `header.json`, and `summaries.json` or
`samples/<id>_epoch_<n>.json` (inspect_ai/log/_recorders/eval.py). Epochs are read as seeds.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from headstart.analysis.item_files.base import ItemFile
from headstart.analysis.item_files.fields import check_kind, take_field
from headstart.analysis.item_files.item_table import ItemRow, ItemTable
from headstart.analysis.item_files.json_files import parse_object, read_first_object
from headstart.analysis.item_files.zip_files import open_archive, read_entry
from headstart.config.metrics import MetricInfo
from headstart.data.formats import Cells
from headstart.data.lines import read_raw_lines
from headstart.errors import DataError
from headstart.os_faults import reading

#: What Inspect's `value_to_float` makes of letters and words.
_LETTERS: Final = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_WORDS: Final = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


class InspectReader:
    """Items are samples, known by their id."""

    description = "a log of Inspect (.eval or .json)"

    def recognises(self, file: Path) -> bool:
        """By the entries of a ZIP, or by the keys of a JSON object."""
        if zipfile.is_zipfile(file):
            try:
                with open_archive(file) as archive:
                    return bool({"header.json", "_journal/start.json"} & set(archive.namelist()))
            except DataError:
                return file.suffix.lower() == ".eval"  # so that reading it says what is wrong
        return file.suffix.lower() == ".json" and _is_log(file)

    def read(self, file: Path) -> ItemFile:
        """As `ItemReader`.

        Raises:
            DataError: the evaluation did not end, or the log has no samples.
        """
        header, samples = _read_archive(file) if zipfile.is_zipfile(file) else _read_json(file)
        _check_ended(header, file)
        rows = ItemTable.of(_make_row(where, sample) for where, sample in samples)
        if not rows:
            raise DataError(
                "a log without samples", where=str(file), fix="run inspect eval with --log-samples"
            )
        spec = take_field(header, "eval", dict, str(file))
        return ItemFile(
            file,
            rows,
            arm=str(spec.get("model") or file.stem),
            task=str(spec.get("task") or file.stem),
            known=_find_letter_scorers(samples),
            has_seeds=True,
        )


def _is_log(file: Path) -> bool:
    """Whether the head of the file has the first keys of a log: it is one object of many lines."""
    first = read_first_object(file)
    if first:
        return {"status", "eval"} <= first.keys()
    try:
        with reading(file), file.open(encoding="utf-8") as stream:
            head = "".join(stream.read(1 << 12).split())
    except (OSError, UnicodeDecodeError):
        return False
    return head.startswith('{"version":') and '"status":' in head and '"eval":{' in head


def _read_json(file: Path) -> tuple[dict[str, Any], list[Cells]]:
    log = parse_object("".join(read_raw_lines(file)), str(file))
    return log, list(_number_samples(log, str(file), file))


def _read_archive(file: Path) -> tuple[dict[str, Any], list[Cells]]:
    with open_archive(file) as archive:
        if "header.json" not in archive.namelist():
            return {"status": "started"}, []
        header = parse_object(read_entry(archive, "header.json", file), f"{file} header.json")
        return header, list(_read_samples(archive, file))


def _read_samples(archive: zipfile.ZipFile, file: Path) -> Iterator[Cells]:
    """Each sample's summary, which has its scores; of logs without these, the samples."""
    names = [name for name in archive.namelist() if _is_sample(name)]
    if "summaries.json" in archive.namelist():
        text = b'{"samples":' + read_entry(archive, "summaries.json", file) + b"}"
        where = f"{file} summaries.json"
        yield from _number_samples(parse_object(text, where), where, file)
        return
    for name in names:
        yield f"{file} {name}", parse_object(read_entry(archive, name, file), f"{file} {name}")


def _number_samples(log: Mapping[str, Any], where: str, file: Path) -> Iterator[Cells]:
    """The objects in its `samples`, each with its place; none where there is no such key."""
    for number, sample in enumerate(check_kind(log.get("samples") or [], list, "samples", where)):
        cells = check_kind(sample, dict, f"samples[{number}]", where)
        yield f"{file} sample {cells.get('id')}", cells


def _is_sample(name: str) -> bool:
    """A sample is one entry, or a folder of which `sample.json` holds its scores."""
    parts = name.split("/")
    if parts[0] != "samples" or not name.endswith(".json"):
        return False
    return len(parts) == 2 or parts[2:] == ["sample.json"]


def _check_ended(header: Mapping[str, Any], file: Path) -> None:
    status = header.get("status")
    if status != "success":
        raise DataError(
            f"the evaluation's status is {status!r}: samples are missing, and not at random",
            where=str(file),
            expected="an evaluation that ended with status 'success'",
            fix=f"inspect eval-retry {file.name}",
        )


def _make_row(where: str, sample: Mapping[str, Any]) -> ItemRow:
    values = {name: _read_value(value) for name, value in _list_scores(where, sample)}
    epoch = check_kind(sample.get("epoch", 1), int, "epoch", where)
    return ItemRow(where, str(sample.get("id")), values, seed=epoch)


def _list_scores(where: str, sample: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """By scorer; the parts of a score that is an object are called `scorer.part`."""
    for scorer, score in check_kind(sample.get("scores") or {}, dict, "scores", where).items():
        value = check_kind(score, dict, f"scores.{scorer}", where).get("value")
        if isinstance(value, dict):
            yield from ((f"{scorer}.{name}", part) for name, part in value.items())
        else:
            yield scorer, value


def _read_value(value: object) -> object:
    """As Inspect's own metrics read it; NaN marks a sample that was not scored."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, str):
        return _LETTERS.get(value, _WORDS.get(value.lower(), value))
    return value


def _find_letter_scorers(samples: Iterable[Cells]) -> dict[str, MetricInfo]:
    """Scorers that say correct and incorrect: more is better, and it is a share."""
    letters: dict[str, bool] = {}
    for where, sample in samples:
        for name, value in _list_scores(where, sample):
            if _read_value(value) is not None:
                is_letter = isinstance(value, str) and value in _LETTERS
                letters[name] = letters.get(name, True) and is_letter
    return {name: MetricInfo(name, False, True) for name, has_letters in letters.items() if has_letters}


INSPECT: Final = InspectReader()
