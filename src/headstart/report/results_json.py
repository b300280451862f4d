"""The content of `results.json`: a study's findings as plain values, with every sentence about them."""

from __future__ import annotations

from typing import Any

from headstart.analysis.findings import Findings
from headstart.report.conclusions import draw_conclusions


def describe_findings(findings: Findings) -> dict[str, Any]:
    """The findings as plain values, with every sentence about them."""
    return findings.to_dict() | {"conclusions": draw_conclusions(findings)}
