"""Asks a trained model for answers; where it cannot give them, that is said, and what was trained is kept."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from headstart import cuda
from headstart.errors import HeadstartError
from headstart.records import Scores, StudyWarning

#: The kind of the warnings.
ANSWERS_LEFT_OUT: Final = "answers-left-out"
#: In place of metrics of answers.
NO_SCORES: Final[Scores] = {}
Given = TypeVar("Given")


@dataclass
class Questioner:
    """Asks the model of run `key`, and remembers what it could not answer.

    `trace` is that of the first error which is a bug.
    """

    key: str
    warnings: list[StudyWarning] = field(default_factory=list)
    trace: str | None = None

    def ask(self, what: str, question: Callable[[], Given], instead: Given) -> Given:
        """What `question` gives; where it fails, `instead`, with a warning that names `what` is left out."""
        try:
            return question()
        except Exception as error:  # noqa: BLE001 - whatever keeps a model from answering must not lose it
            self._remember(what, error)
        cuda.release_memory()
        return instead

    def _remember(self, what: str, error: Exception) -> None:
        is_bug = not isinstance(error, HeadstartError)
        told = f"{type(error).__name__}: {error}" if is_bug else str(error)
        message = f"{self.key}: {what} are left out, as answering failed: {told}"
        self.warnings.append(StudyWarning(kind=ANSWERS_LEFT_OUT, message=message))
        if is_bug and self.trace is None:
            self.trace = "".join(traceback.format_exception(error))
