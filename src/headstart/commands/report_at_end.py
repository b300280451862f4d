"""Writes a study's page when the study ends; whatever keeps it from being written is a warning, no more."""

from __future__ import annotations

from headstart.analysis.results import Results
from headstart.events import Log
from headstart.execute.open_study import OpenStudy
from headstart.stages import tell_stage
from headstart.wording import Caution


def write_page_at_end(results: Results, log: Log, opened: OpenStudy | None = None) -> Results:
    """Write it, unless the study says not to; gives the results back.

    Args:
        opened: as `write_results_page`.
    """
    if results.study.report:
        tell_stage("writing the report")
        try:
            # Imported only now: what draws is not needed before.
            from headstart.commands.report import write_results_page

            write_results_page(results, opened)
        except Exception as error:  # noqa: BLE001 - the study has ended well, whatever becomes of its page
            log(Caution(f"the report was not written: {_describe(error)}"))
    return results


def _describe(error: Exception) -> str:
    """Its first line, and of a bug its type: `headstart report` shows the rest."""
    first = (str(error).splitlines() or [""])[0]
    return first if hasattr(error, "got") else f"{type(error).__name__}: {first}"
