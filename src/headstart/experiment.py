"""The whole of a study on one page: runs that are missing, packs, records, findings.

study.yaml -> Study -> [Run] -> [Pack] -> RunRecord per run -> Findings -> results.json
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headstart.analysis.findings import Findings, make_findings
from headstart.analysis.grid_search import find_best_run
from headstart.config.expand import Run, expand
from headstart.config.study import Study
from headstart.data.corpus import PARTS
from headstart.data.statistics import label_summary, length_summary
from headstart.errors import HeadstartError
from headstart.execute.crew import Crew
from headstart.execute.forecast import Forecast, forecast
from headstart.execute.local import carry_out_all, measured, process_bytes, warm_up
from headstart.execute.pack import Watcher
from headstart.execute.prepare import Prepared, as_begun, prepare
from headstart.execute.probing import encode_for_probes
from headstart.records import EpochPoint, RunRecord, StoppingRule, StudyWarning, duration
from headstart.report.card import model_card
from headstart.store.provenance import git_commit
from headstart.store.runs import RunStore, missing
from headstart.tuning.lora import peft

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What `run` would do: the runs still to be made, those done, what is known of the data, and the cost.

    `outlook` is of the runs that are left: what they need, and with a probe the steps that were timed.
    """

    study: Study
    runs: tuple[Run, ...]
    done: frozenset[str]
    prepared: Prepared
    outlook: Forecast

    @property
    def facts(self) -> dict[str, Any]:
        """The plan as plain values, for `--json`."""
        corpus = self.prepared.corpus
        return {
            "task": self.study.task,
            "texts": {part: len(corpus.parts[part]) for part in PARTS},
            "labels": list(corpus.label_names),
            "label_statistics": label_summary(corpus),
            "warnings": [n.model_dump() for n in (*self.prepared.notices, *self.outlook.notices)],
            "runs": [
                {"arm": r.arm, "size": r.size, "seed": r.seed, "setting": dict(r.setting)}
                | {"key": r.key, "done": r.key in self.done}
                for r in self.runs
            ],
            "parameters": self.outlook.parameters,
            "groups": self.outlook.groups,
            "cost": self.outlook.cost,
            "tokens": {
                f"{name} (at most {limit})": round(float(tokens["train"].lengths.mean()), 1)
                for (name, limit), tokens in self.prepared.tokens.items()
            },
            "lengths": {
                f"{name} (at most {limit})": length_summary(tokens, limit)
                for (name, limit), tokens in self.prepared.tokens.items()
            },
        }


@dataclass(frozen=True)
class Results:
    """A study that ended: its findings, the folder that holds everything, and who trained it, if anybody."""

    findings: Findings
    out: Path
    crew: Crew | None = None

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """One record for each run."""
        return self.findings.records

    @property
    def facts(self) -> dict[str, Any]:
        """The content of `results.json`."""
        return self.findings.to_dict()


def plan(study: Study, say: Say = lambda _: None, *, probe: bool = False) -> Plan:
    """Check the study and its data, list its runs and what they will cost, without training or writing.

    Args:
        probe: make a few real steps of each kind of run and forget them: memory measured, time expected.

    Raises:
        HeadstartError: whatever would keep the study from being run.
    """
    store = RunStore(Path(study.out))
    study = store.grown(study)
    runs = expand(study)
    process = _process_bytes(runs)
    store.check(study)
    prepared = prepare(study, runs, announce=say)
    store.check_sources(prepared.corpus.digest, prepared.digests)
    done = store.done()
    prepared = as_begun(prepared, done.values())
    left = tuple(run for run in runs if run.key not in done)
    seen = forecast(runs, left, prepared, process, store.out)
    return Plan(study, runs, frozenset(done), prepared, measured(seen, store, say) if probe else seen)


def _process_bytes(runs: Iterable[Run]) -> int:
    """What a process holds before it has a model, with the libraries that these runs ask for."""
    if any(run.lora or run.peft for run in runs):
        peft()
    return process_bytes()


def run(study: Study, watch: Callable[[int, str], Any] | None = None) -> Results:
    """Train what is missing of the study, and say what it found.

    Runs that are done in `study.out` are kept; one that failed is tried again.

    Args:
        watch: makes, from the number of runs and the metric, a context manager that is a `Watcher` with
            `say(sentence)`; `headstart.report.progress.StudyProgress` is one. Silence by default.

    Raises:
        HeadstartError: whatever keeps the study from being run; a single run that fails is recorded.
    """
    return carry_on(study, watch)


def carry_on(
    study: Study,
    watch: Callable[[int, str], Any] | None = None,
    *,
    until: StoppingRule | None = None,
    crew: Crew | None = None,
) -> Results:
    """As `run`, for a study that grows.

    Args:
        until: the rule by which its seeds are added, for the record.
        crew: trains it, where one has been chosen before; else one is chosen.
    """
    began, store = time.monotonic(), RunStore(Path(study.out))
    study = store.grown(study)
    runs = expand(study)
    if study.workers != 0:
        warm_up()
    store.check(study)
    process = _process_bytes(runs)
    with (watch or _Nobody)(len(missing([r.key for r in runs], store.done())), study.metric) as watcher:
        prepared = prepare(study, runs, commit=git_commit(Path.cwd()), announce=watcher.say)
        store.check_sources(prepared.corpus.digest, prepared.digests)
        store.open(study, until)
        done = store.done()
        prepared = as_begun(prepared, done.values())
        left = tuple(run for run in runs if run.key not in done)
        seen = forecast(runs, left, prepared, process, store.out)
        for notice in seen.notices:
            watcher.say(notice.message)
        store.write_json("plan.json", Plan(study, runs, frozenset(done), prepared, seen).facts)
        crew, expected = _train_missing(seen, store, watcher, crew)
        findings = _conclude(study, prepared, store)
        watcher.say(f"{len(findings.records)} runs, {duration(time.monotonic() - began)}{expected}")
    if all(record.status == "failed" for record in findings.records):
        raise HeadstartError(
            f"every run failed; the first: {findings.records[0].error}",
            where=str(store.out),
            fix="the records below runs/ hold the traces; mend the cause and run again",
        )
    return Results(findings, store.out, crew)


def _train_missing(
    seen: Forecast, store: RunStore, watcher: Any, crew: Crew | None
) -> tuple[Crew | None, str]:
    """Train them; gives who did, and what was expected, in words, to compare with what it took."""
    promoting = _Promoting(watcher, store, seen.prepared)
    for record in store.done().values():
        promoting.promote(record)  # an earlier call may have ended between a run and its promotion
    if not seen.left:
        return crew, ""
    encode_for_probes(seen.left, seen.prepared, watcher.say)
    crew, seconds = carry_out_all(seen, store, promoting, watcher.say, crew)
    watcher.say(_how(crew))
    return crew, f" (expected: {duration(seconds.low)} to {duration(seconds.high)})" if seconds else ""


def _how(crew: Crew) -> str:
    packs = f", at most {crew.pack} runs as one" if crew.pack > 1 else ""
    if not crew.workers:
        return f"trained in this process{packs}"
    threads = f" of {_count(crew.threads, 'thread')}" if crew.threads else ""
    return f"trained by {_count(crew.workers, 'worker process')}{threads}{packs} ({crew.reason})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}{'es' if what.endswith('s') else 's'}"


class _Promoting:
    """A watcher that, before it passes an ended run on, lets its model become its arm's best."""

    def __init__(self, watcher: Watcher, store: RunStore, prepared: Prepared) -> None:
        self._watcher, self._store, self._prepared = watcher, store, prepared
        self.started, self.step, self.epoch = watcher.started, watcher.step, watcher.epoch

    def ended(self, record: RunRecord) -> None:
        self.promote(record)
        self._watcher.ended(record)

    def promote(self, record: RunRecord) -> None:
        study, names = self._prepared.study, self._prepared.corpus.label_names
        self._store.promote(record, study, lambda r: model_card(r, study, names))


class _Nobody:
    """A watcher that wants to know nothing."""

    def __init__(self, runs: int, metric: str) -> None:
        """Takes what any watcher is made from."""

    def __enter__(self) -> _Nobody:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def say(self, sentence: str) -> None:
        """Not told to anybody."""

    def started(self, run: Run) -> None:
        """Not told to anybody."""

    def step(self, run: Run, step: int, total: int, loss: float) -> None:
        """Not told to anybody."""

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        """Not told to anybody."""

    def ended(self, record: RunRecord) -> None:
        """Not told to anybody."""


def _conclude(study: Study, prepared: Prepared, store: RunStore) -> Findings:
    findings = make_findings(study, list(store.records()), prepared.notices, store.predictions, store.until())
    gone = tuple(_settle(findings, store, prepared.corpus.label_names))
    findings = replace(findings, warnings=(*findings.warnings, *gone))
    store.write_json("results.json", findings.to_dict())
    return findings


def _settle(findings: Findings, store: RunStore, label_names: tuple[str, ...]) -> Iterator[StudyWarning]:
    """Let each tuned arm have the model of its best run; a notice where that was deleted."""
    study = findings.study
    for arm in dict.fromkeys(row.arm for row in findings.grid_rows):
        best = find_best_run(study, findings.records, findings.grid_rows, arm)
        there = store.settle(arm, best, lambda record: model_card(record, study, label_names))
        if best is not None and not there:
            yield StudyWarning(
                kind="model-gone",
                message=f"{arm}: the model of its best run, {best.key}, was deleted, so models/{arm} "
                f"is not there; to have it, delete runs/{best.key} and run again",
            )
