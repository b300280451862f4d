"""What an interrupted study is said to have kept."""

from __future__ import annotations

import pytest

from headstart.planning.kept import KeptRuns
from headstart.report.kept import describe_kept


@pytest.mark.parametrize(
    ("finished", "signal_name", "line"),
    [
        (2, "SIGINT", "interrupted: 2 of 12 runs finished; repeat the command to resume"),
        (12, "SIGINT", "interrupted: 12 of 12 runs finished; repeat the command to see the findings"),
        (
            12,
            "SIGTERM",
            "interrupted by SIGTERM: 12 of 12 runs finished; repeat the command to see the findings",
        ),
    ],
)
def test_the_command_is_repeated_to_resume_or_to_see_the_findings(
    finished: int, signal_name: str, line: str
) -> None:
    """Where every run is finished nothing is left to resume."""
    assert describe_kept(KeptRuns(finished, 12, ()), signal_name) == line
