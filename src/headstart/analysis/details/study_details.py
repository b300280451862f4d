"""Everything that a report shows of one study: its results, and what its folder tells beyond them."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.analysis.details.classes import Calibration, ClassScores, Confusion, SeedAgreement
from headstart.analysis.details.costs import Costs
from headstart.analysis.details.curves import Curves
from headstart.analysis.details.examples import ArmsDiffer, WrongExample
from headstart.analysis.details.origins import Origins
from headstart.analysis.results import Results


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
