"""The one tree of errors a user can meet: each says what was got, where, what was expected and what to do.

    HeadstartError
    ├── StudyError        the study file, or a `key=value` beside it: every problem at once
    ├── DataError         a data file: unreadable, a column missing, labels that cannot be learnt
    ├── ModelError        a checkpoint: not found, not loadable, too short for the texts
    │   └── StackError    models that cannot be stacked into one
    ├── AssetError        a package-index asset: no index, wrong checksum
    ├── HubError          the hub refuses what is pushed, or is not reached
    ├── OutputError       the output folder: another study, not writable
    │   └── DamagedFileError  a file in it is not what was written: unreadable, changed, or of another run
    ├── TrainingError     a run that cannot continue: loss not finite, a worker that died
    └── MissingExtraError an optional dependency that is not installed

Anything else that escapes is a bug of Headstart and keeps its traceback.
"""

from __future__ import annotations

from dataclasses import dataclass

from headstart.installing import PLACE, format_install


class HeadstartError(Exception):
    """An error that the user can fix: one message of at most four parts."""

    def __init__(
        self, got: str, *, where: str | None = None, expected: str | None = None, fix: str | None = None
    ) -> None:
        self.got, self.where, self.expected, self.fix = got, where, expected, fix
        super().__init__(got)

    def __str__(self) -> str:
        head = f"{self.where}: {self.got}" if self.where else self.got
        parts = [("expected", self.expected), ("fix", self.fix)]
        return "\n".join([head, *(f"  {name}: {text}" for name, text in parts if text)])

    def __reduce__(self) -> tuple[object, ...]:
        # The default rebuilds from `args`, which loses the keyword parts on the way out of a worker.
        return _rebuild_error, (type(self), dict(self.__dict__))


def _rebuild_error(kind: type[HeadstartError], state: dict[str, object]) -> HeadstartError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (state.get("got"),)
    return error


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a study: `where` is `file:line` or `command line`, `key` is dotted."""

    where: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.key}: {self.message}" if self.key else f"{self.where}: {self.message}"


class StudyError(HeadstartError):
    """The study is not one that can be run; carries every problem found."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class DataError(HeadstartError):
    """A data file cannot be used."""


class ModelError(HeadstartError):
    """A checkpoint cannot be used."""


class StackError(ModelError):
    """Models cannot be stacked into one module that computes exactly what they do."""


class AssetError(HeadstartError):
    """A package-index asset cannot be fetched or is not what it should be."""


class HubError(HeadstartError):
    """The hub takes nothing: it is not reached, refuses, or there is no token."""


class OutputError(HeadstartError):
    """The output folder cannot be used."""


class DamagedFileError(OutputError):
    """A file of the output folder is not what was written there: it cannot be read, or was changed."""


class TrainingError(HeadstartError):
    """A run cannot go on."""


class MissingExtraError(HeadstartError):
    """An optional dependency is needed and absent; `otherwise` says what goes without it."""

    def __init__(self, package: str, extra: str, purpose: str, otherwise: str | None = None) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed",
            fix=f"in {PLACE}: {format_install([extra])}" + (f"; or {otherwise}" if otherwise else ""),
        )
