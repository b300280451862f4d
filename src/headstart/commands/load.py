"""What `headstart.load` does: reads the results of a study's folder without its data, its model or torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from headstart.analysis.collapse_words import warn_of_collapsed
from headstart.analysis.findings import make_findings
from headstart.analysis.results import Results
from headstart.analysis.written_answers import collect_answers
from headstart.errors import DamagedFileError, HeadstartError
from headstart.os_faults import check_lookup
from headstart.records import Record, StudyWarning
from headstart.store.folder_mark import read_mark
from headstart.store.json_files import read_json, validate
from headstart.store.predictions import PredictionReader
from headstart.store.runs import RunStore

_EXPECTED: Final = "the `out` folder of `headstart run`"


class _Ended(Record):
    """What is read of `results.json`."""

    warnings: tuple[StudyWarning, ...]


def load(out: str | Path) -> Results:
    """Read the results of a study's folder, finished or not; trains nothing, writes nothing.

    Neither the data nor the checkpoint is needed, and torch is not imported. Figures are those of the records
    there, each borne out by the files beside it, as `headstart compare` reads them: the same findings that
    `headstart.run` gave. `headstart.load_study` reads another thing, a study file that is to be run.

    Example:
        results = headstart.load("runs/study")
        print(results)
        results.frame("curves")  # pandas: a row for each epoch of each run
        results.compare(margin=1.0)

    Args:
        out: the folder.

    Returns:
        The results. `results.missing` are the runs that are not done yet.

    Raises:
        HeadstartError: there is no such folder, it is no study's, or of another version; a run's files were
            changed since.
    """
    return open_results(out)[0]


def read_metric(out: str | Path) -> str:
    """The metric that chooses the epochs of the folder's study.

    Raises:
        HeadstartError: as `load`.
    """
    return open_store(Path(out)).read_study().metric


def open_results(out: str | Path) -> tuple[Results, PredictionReader]:
    """As `load`, with what has read the predictions: who needs them too need not read them again."""
    store = open_store(Path(out))
    study, read = store.read_study(), PredictionReader(store.get_run_folder)
    records = store.read_verified(study, read)
    rule, looks, labels = store.read_stopping_rule(), store.read_looks(), store.read_label_statistics()
    findings = make_findings(study, records, (), read, rule, looks, labels)
    # Of the data and of what became of models: they are written nowhere else.
    findings = replace(findings, answers=collect_answers(findings, store.get_run_folder))
    anew = (*findings.warnings, *warn_of_collapsed(findings.outcomes))
    noted = (warning for warning in _read_warnings(store) if warning not in anew)
    return Results(replace(findings, warnings=(*noted, *findings.warnings)), store.out), read


def open_store(out: Path) -> RunStore:
    """The folder of a study that was run; nothing of it is read.

    Raises:
        HeadstartError: there is no such folder, or it holds no such study.
    """
    check_lookup(out)
    if not out.exists():
        raise HeadstartError("no such folder", where=str(out), expected=_EXPECTED)
    store = RunStore(out)
    has_file = store.study_file.is_file()
    # Somebody's own folder may hold a study file that was never run there.
    if not has_file or not (read_mark(store) or store.runs_folder.is_dir()):
        fix = "headstart.load_study reads a study file" if has_file or out.is_file() else None
        raise HeadstartError("holds no study that was run", where=str(out), expected=_EXPECTED, fix=fix)
    return store


def _read_warnings(store: RunStore) -> tuple[StudyWarning, ...]:
    """Those that the study ended with; none where it has not, or they cannot be read: they decide nothing."""
    file = store.out / "results.json"
    try:
        values = read_json(file) if file.is_file() else {}
        return validate(_Ended, {"warnings": values.get("warnings", [])}, file).warnings
    except DamagedFileError:
        return ()
