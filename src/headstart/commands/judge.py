"""`headstart judge`: writes a blind sheet of paired answers, and reads choices back as a contrast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from headstart.analysis.answer_pairs import JudgingSheet, PairSource, draw_sheet
from headstart.analysis.judgements import Choices, Judgements, contrast_judgements, read_choices
from headstart.analysis.study_runs import StudyRuns, order_runs
from headstart.commands.outputs import check_output_file
from headstart.config.sizes import Size
from headstart.config.traits import get_task_traits
from headstart.data.filled_sheets import FilledSheet, read_sheet
from headstart.data.judging_sheets import write_sheet
from headstart.errors import DataError, HeadstartError
from headstart.os_faults import MachineError, check_lookup
from headstart.store.answer_columns import AnsweredPrompts, read_answered_prompts
from headstart.store.judging_keys import JudgingKey, read_judging_key, write_judging_key
from headstart.store.predictions import PREDICTIONS_FILE, PredictionReader
from headstart.store.read_choices import write_read_choices
from headstart.store.runs import RunStore
from headstart.store.study_lock import hold_study_folder


def judge_pairs(
    out: str | Path,
    output: str | Path,
    *,
    arm: str,
    control: str | None = None,
    size: Size | None = None,
    seed: int = 0,
    examples: int | None = None,
    reference: bool = False,
    force: bool = False,
) -> JudgingSheet:
    """Write a sheet of an arm's and its control's answers to test prompts, shuffled and blind.

    Each prompt has the answers of one seed, drawn for it. Nothing in the sheet tells whose an answer is: that
    is kept in the study's folder.

    Example:
        headstart.judge_pairs("runs/faq", "pairs.csv", arm="lora", examples=50)

    Args:
        out: the `out` folder of a study with `task: instruction`.
        output: the CSV file to write, which must not be there unless `force` is set.
        control: the study's by default.
        size: the number of training examples; the largest by default.
        seed: of the draw of prompts, sides and seeds.
        examples: how many prompts are drawn; all that were answered by default.
        reference: whether judges see the expected response.

    Raises:
        HeadstartError: there is no such study, arm or size, or no answers of both; as `draw_sheet`.
        OutputError: the file already exists, or cannot be written, or another process uses the folder.
    """
    store, path = RunStore(Path(out)), Path(output)
    source = _read_source(store, arm, control, size)
    drawn = draw_sheet(source, seed, examples, has_reference=reference)
    check_output_file(path, force=force, what=", perhaps with choices in it")
    with (
        hold_study_folder(store.out, fix="wait until it has finished, then repeat the command"),
        ExitStack() as undo,
    ):
        key = write_judging_key(store, drawn.key)
        undo.callback(key.unlink, missing_ok=True)  # without a sheet it is of no use
        write_sheet(path, drawn.key.sheet, drawn.rows)
        undo.pop_all()
    return JudgingSheet(
        path, key, drawn.key.sheet, len(drawn.rows), len(drawn.key.equal), tuple(source.seeds)
    )


def judge_read(out: str | Path, files: Sequence[str | Path]) -> Judgements:
    """The contrast that people's choices make, one file for each judge, all of the same sheet.

    The choices are kept in the study's folder, in place of those read of this sheet before, and
    `write_report` shows them.

    Example:
        print(headstart.judge_read("runs/faq", ["anna.csv", "ben.csv"]))

    Raises:
        DataError: as `read_sheet`, `read_choices` and `contrast_judgements`; a file is given twice, or files
            are of several sheets.
        OutputError: the sheet is none of this study.
    """
    paths = [Path(file) for file in files]
    filled = [read_sheet(path) for path in paths]
    _check_judges(filled)
    store = RunStore(Path(out))
    key = read_judging_key(store, filled[0].sheet, paths[0])
    by_judge: dict[str, Choices] = {
        name: read_choices(sheet, key) for name, sheet in zip(_name_judges(paths), filled, strict=True)
    }
    notes = tuple(_find_copies(paths))
    found = contrast_judgements(", ".join(map(str, paths)), key, by_judge, notes)
    return replace(found, notes=(*notes, *_keep_choices(store, key, by_judge, notes)))


def _keep_choices(
    store: RunStore, key: JudgingKey, by_judge: Mapping[str, Choices], notes: tuple[str, ...]
) -> Iterator[str]:
    """Write what was read into the study's folder, where `headstart report` finds it; says where it cannot,
    for the reading itself needs no place to write."""
    try:
        write_read_choices(store, key, by_judge, notes)
    except MachineError as error:
        yield f"Not kept for headstart report: {error}"


def _read_source(store: RunStore, arm: str, control: str | None, size: Size | None) -> PairSource:
    runs = _open_study(store)
    study = runs.study
    control = control or study.control_arm
    if control is None:
        raise HeadstartError("the study has no control", where="--control", expected="an arm to compare with")
    for option, name in (("--arm", arm), ("--control", control)):
        if name not in study.arms:
            raise HeadstartError(
                f"no arm is called {name!r}", where=option, expected=f"one of {', '.join(study.arms)}"
            )
    if arm == control:
        raise HeadstartError(f"{arm} is the control itself", where="--arm", expected="two arms")
    size = study.sizes[-1] if size is None else size
    if size not in study.sizes:
        raise HeadstartError(
            f"no size {size}", where="--size", expected=f"one of {', '.join(map(str, study.sizes))}"
        )
    of_arm, of_control = (_read_answers(store, runs, name, size) for name in (arm, control))
    return PairSource(arm, control, size, of_arm, of_control)


def _open_study(store: RunStore) -> StudyRuns:
    check_lookup(store.out)
    if not store.study_file.is_file():
        raise HeadstartError(
            "contains no study", where=str(store.out), expected="the `out` folder of `headstart run`"
        )
    study = store.read_study()
    if not get_task_traits(study.task).generates:
        raise HeadstartError(
            f"a study of task {study.task} has no answers to judge",
            where=str(store.out),
            expected="task: instruction",
        )
    return order_runs(study, store.read_verified(study, PredictionReader(store.get_run_folder)))


def _read_answers(store: RunStore, runs: StudyRuns, arm: str, size: Size) -> dict[int, AnsweredPrompts]:
    """By seed, of the runs that are done and whose answers are still there."""
    files = {
        run.seed: store.get_run_folder(run.key) / PREDICTIONS_FILE for run in runs.select_chosen(arm, size)
    }
    answers = {seed: read_answered_prompts(file) for seed, file in files.items() if file.is_file()}
    if not any(found.ids for found in answers.values()):
        raise HeadstartError(
            f"no answers of {arm}" if files else f"no run of {arm} is finished",
            where=str(store.out),
            expected=f"runs that answered test prompts, with their {PREDICTIONS_FILE}",
        )
    return answers


def _check_judges(filled: Sequence[FilledSheet]) -> None:
    """See that all files are of one sheet, and none is there twice."""
    seen: set[Path] = set()
    for sheet in filled:
        if sheet.path.resolve() in seen:
            raise DataError(
                "is given twice", where=str(sheet.path), expected="a file for each judge", fix="leave one out"
            )
        seen.add(sheet.path.resolve())
        if sheet.sheet != filled[0].sheet:
            raise DataError(
                f"is of sheet {sheet.sheet}, {filled[0].path} of sheet {filled[0].sheet}",
                where=str(sheet.path),
                expected="files of the same sheet",
                fix="read them separately",
            )


def _find_copies(paths: Sequence[Path]) -> Iterator[str]:
    """Files that are the same to the byte: judges who agree in all, or one judge's file twice."""
    for first, second in combinations(paths, 2):
        if first.read_bytes() == second.read_bytes():
            yield f"{first} and {second} are byte-identical: if one is a copy, read only the other."


def _name_judges(paths: Sequence[Path]) -> list[str]:
    """Files' names without their ending where these tell them apart, else their paths."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
