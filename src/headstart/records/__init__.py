"""What goes to disk about runs, as frozen types with a schema version; computes nothing."""

from __future__ import annotations

from headstart.records.base import SCHEMA_VERSION, Record, Scores, StudyWarning
from headstart.records.collapse import Collapse, CollapsedArm, Reference
from headstart.records.findings import (
    BeyondRange,
    Contrast,
    GridRow,
    JudgedPoint,
    Margin,
    OneRun,
    OutcomeRow,
    RelativeErrors,
    SeedContrast,
    SummaryRow,
    TierRow,
    WinRate,
    WorthRow,
)
from headstart.records.looks import Look, Looks, StoppingRule
from headstart.records.run import (
    CheckpointDigest,
    EpochPoint,
    Estimate,
    Execution,
    Gpu,
    Parameters,
    PlacementRecord,
    Provenance,
    Range,
    RunRecord,
    Sample,
    Selection,
)
from headstart.records.words import describe_wide_gaps, format_duration, format_run_key

__all__ = [
    "SCHEMA_VERSION",
    "BeyondRange",
    "CheckpointDigest",
    "Collapse",
    "CollapsedArm",
    "Contrast",
    "EpochPoint",
    "Estimate",
    "Execution",
    "Gpu",
    "GridRow",
    "JudgedPoint",
    "Look",
    "Looks",
    "Margin",
    "OneRun",
    "OutcomeRow",
    "Parameters",
    "PlacementRecord",
    "Provenance",
    "Range",
    "Record",
    "Reference",
    "RelativeErrors",
    "RunRecord",
    "Sample",
    "Scores",
    "SeedContrast",
    "Selection",
    "StoppingRule",
    "StudyWarning",
    "SummaryRow",
    "TierRow",
    "WinRate",
    "WorthRow",
    "describe_wide_gaps",
    "format_duration",
    "format_run_key",
]
