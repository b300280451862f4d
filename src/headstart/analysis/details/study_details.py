"""Everything that a report shows of one study: its results, and what its folder tells beyond them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from headstart.analysis.details.class_cells import ClassCell, LabelCell, read_class_cell, read_label_cell
from headstart.analysis.details.classes import (
    Calibration,
    ClassScores,
    Confusion,
    SeedAgreement,
    count_confusions,
    measure_agreement,
    measure_calibration,
    score_classes,
)
from headstart.analysis.details.costs import Costs, sum_costs
from headstart.analysis.details.curves import Curves, find_curves
from headstart.analysis.details.example_texts import read_test_texts
from headstart.analysis.details.examples import (
    ArmsDiffer,
    WrongExample,
    find_differing_examples,
    find_wrong_examples,
)
from headstart.analysis.details.loss_curves import find_loss_curve
from headstart.analysis.details.model_parts import ModelParts, find_model_parts
from headstart.analysis.details.origins import Origins, find_origins
from headstart.analysis.details.read_judgements import read_judgements
from headstart.analysis.findings import Findings
from headstart.analysis.judgements import Judgements
from headstart.analysis.measured_tests import ReadPredictions
from headstart.analysis.results import Results
from headstart.analysis.study_runs import list_cells
from headstart.config.sizes import find_largest_size
from headstart.config.study import Study
from headstart.data.checks import load_corpus
from headstart.data.corpus import Corpus
from headstart.store.adapted import read_adapting
from headstart.store.layout import StudyLayout
from headstart.store.predictions import PredictionReader


@dataclass(frozen=True, eq=False)
class StudyDetails:
    """A study's results with all that is shown beside them; tuples are empty where nothing is to be shown.

    `curves` has one entry for each test metric, that of the study first. Grids, contrasts, label worth,
    samples and warnings are in `results.findings`.
    """

    results: Results
    curves: tuple[Curves, ...]
    confusions: tuple[Confusion, ...]
    class_scores: tuple[ClassScores, ...]
    calibrations: tuple[Calibration, ...]
    agreements: tuple[SeedAgreement, ...]
    wrong: tuple[WrongExample, ...]
    differ: tuple[ArmsDiffer, ...]
    costs: Costs
    origins: Origins
    model_parts: tuple[ModelParts, ...] = ()
    judgements: tuple[Judgements, ...] = ()


def read_details(
    results: Results,
    *,
    with_texts: bool = True,
    load: Callable[[Study], Corpus] = load_corpus,
    read: ReadPredictions | None = None,
) -> StudyDetails:
    """All that is shown of a study beside its results, from the folder that they were read from.

    Predictions of classes and labels are read again, one arm and size at a time.

    Args:
        with_texts: show the texts of single test examples, where the study's data are still the same.
        load: gives the study's data; who has them need not have them read again.
        read: gives a run's predictions, likewise.

    Raises:
        DamagedFileError: predictions, or what judges chose, cannot be read.
    """
    findings, layout = results.findings, StudyLayout(results.out)
    study, reader = findings.study, read or PredictionReader(layout.get_run_folder)
    cells = [runs for size, arm in list_cells(study) if (runs := findings.select_chosen(arm, size))]
    read_classes = (read_class_cell(runs, study.metric, reader, layout.get_run_folder) for runs in cells)
    classes = [cell for cell in read_classes if cell is not None]
    labels = [cell for runs in cells if (cell := read_label_cell(runs, study.metric, reader)) is not None]
    scored: list[ClassCell | LabelCell] = [*classes, *labels]
    wrong, differ = _find_examples(findings, classes, load if with_texts else None)
    return StudyDetails(
        results=results,
        curves=tuple(_find_all_curves(findings, layout)),
        confusions=tuple(map(count_confusions, classes)),
        class_scores=tuple(row for cell in scored for row in score_classes(cell)),
        calibrations=tuple(map(measure_calibration, classes)),
        agreements=tuple(row for cell in classes if (row := measure_agreement(cell))),
        wrong=wrong,
        differ=differ,
        costs=sum_costs(findings, tuple(read_adapting(layout))),
        origins=find_origins(findings.records, study),
        model_parts=find_model_parts(findings, layout.get_arm_model_folder),
        judgements=read_judgements(layout),
    )


def _find_all_curves(findings: Findings, layout: StudyLayout) -> Iterator[Curves]:
    """Of each metric that runs have curves of, the study's first."""
    metric, runs = findings.study.metric, findings.chosen
    losses = {run.key: find_loss_curve(run, layout.get_curves_folder(run.key)) for run in runs if run.epochs}
    for name in dict.fromkeys((metric, *findings.metrics)):
        curves = find_curves(runs, name, losses, chosen_by=metric)
        if curves.runs:
            yield curves


def _find_examples(
    findings: Findings, classes: Sequence[ClassCell], load: Callable[[Study], Corpus] | None
) -> tuple[tuple[WrongExample, ...], tuple[ArmsDiffer, ...]]:
    """Single examples at the largest size, without their texts where nothing loads the data."""
    study = findings.study
    largest = {cell.arm: cell for cell in classes if cell.size == find_largest_size(study.sizes)}
    control = largest.get(study.control_arm or "")
    wrong = [row for cell in largest.values() for row in find_wrong_examples(cell)]
    pairs = [(cell, control) for cell in largest.values() if control is not None and cell is not control]
    differ = [row for pair in pairs for row in find_differing_examples(*pair)]
    ids = {row.id for row in wrong} | {row.id for row in differ}
    texts = read_test_texts(study, findings.records, sorted(ids), load) if load else {}
    return (
        tuple(replace(row, text=texts.get(row.id)) for row in wrong),
        tuple(replace(row, text=texts.get(row.id)) for row in differ),
    )
