"""What `results.json` holds, and `run --json` prints: the findings with their records, as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headstart.records import SCHEMA_VERSION, Record
from headstart.report.findings import Findings
from headstart.report.tuning import rule


def dump_findings(findings: Findings) -> dict[str, Any]:
    """The content of `results.json`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "study": findings.study.model_dump(mode="json"),
        "runs": _dump(findings.records),
        "summary": _dump(findings.summary),
        "contrasts": _dump(findings.contrasts),
        "label_worth": _dump(findings.label_worth),
        "step_worth": _dump(findings.step_worth),
        "until_decided": findings.until.model_dump(mode="json") if findings.until else None,
        "tuning": {"rule": rule(findings.study.metric), "grid": _dump(findings.tuning)},
        "warnings": _dump(findings.notices),
    }


def _dump(rows: Iterable[Record]) -> list[dict[str, Any]]:
    return [row.model_dump(mode="json") for row in rows]
