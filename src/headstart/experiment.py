"""The whole of a study on one page: study -> runs -> packs -> records -> findings -> results.json.

A study stands for runs: its arms, at each size, with each seed. Those that its folder lacks are trained as
packs, each leaves a record, and what the records say together are the findings: whether the checkpoint beats
its control, by how much, and how sure that is. Where arms are tuned by seeds of their own, the records of the
first runs say which others are needed, and these are trained then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from headstart.analysis.collapsed import find_collapse
from headstart.analysis.findings import Findings, make_findings
from headstart.analysis.grid_search import find_best_run
from headstart.analysis.results import Results
from headstart.analysis.written_answers import collect_answers
from headstart.config.arm_settings import get_checkpoint
from headstart.config.traits import get_method_traits
from headstart.data.statistics import summarise_data
from headstart.errors import DamagedFileError, HeadstartError
from headstart.events import Event, OnEvent, RunEnded
from headstart.execute.backend import Backend
from headstart.execute.open_study import OpenStudy
from headstart.execute.pinned import find_again, list_changes, note_placement
from headstart.models.base_card import read_base_card
from headstart.planning.cluster_placement import place_on_cluster
from headstart.planning.estimate import estimate_study
from headstart.planning.expected import describe_end, describe_expected, predict_seconds
from headstart.planning.measure import place_study
from headstart.planning.placement import Placement, describe_placement
from headstart.planning.plan import Plan
from headstart.planning.study_estimate import StudyEstimate
from headstart.planning.tuning import describe_changed_choices
from headstart.planning.work import plan_work
from headstart.records import Collapse, PlacementRecord, Range, RunRecord, StudyWarning
from headstart.report.card import write_model_card
from headstart.report.results_json import describe_findings
from headstart.stages import tell_stage
from headstart.store.adapted import describe_adapting
from headstart.store.layout import StudyLayout
from headstart.store.states import describe_unused_states
from headstart.trackers.guard import describe_switched_off
from headstart.trackers.registry import track_study
from headstart.training.answering import ANSWERS_LEFT_OUT
from headstart.training.prepare import prepare_methods
from headstart.training.prompts import summarise_conversations
from headstart.wording import Caution


def run_missing(
    opened: OpenStudy, backend: Backend, on_event: OnEvent, placement: Placement | None = None
) -> Results:
    """Train the runs of a study that are missing, and find what all of its records say.

    Args:
        placement: where they train, if that was chosen before.

    Raises:
        HeadstartError: every run failed; a single one that fails is recorded.
    """
    opened.store.open_study(opened.study, opened.rule)
    for damaged in opened.damaged:
        opened.store.set_run_aside(damaged)
    opened.store.sweep(opened.done)
    estimate = _plan_phase(opened)
    for sentence in opened.prepared.prompt_formats:
        opened.log(sentence)
    for warning in estimate.warnings:
        opened.log(Caution(warning.message))
    for record in opened.done.values():
        _promote_earlier(record, opened)  # an earlier call may have ended between a run and its promotion
    for sentence in opened.store.describe_model_faults(opened.done):
        opened.log(Caution(sentence))
    expected: Range | None = None
    if estimate.missing:
        with track_study(opened.study, opened.store, opened.runs, opened.log):
            placement, expected = _train_phases(opened, estimate, backend, on_event, placement)
    findings = _write_findings(opened)
    opened.log(describe_end(len(findings.records), time.monotonic() - opened.began, expected))
    if all(record.status == "failed" for record in findings.records):
        raise HeadstartError(
            f"every run failed; the first: {findings.records[0].error}",
            where=str(opened.store.out),
            fix="the records in runs/ have the tracebacks; fix the cause and run again",
        )
    return Results(findings, opened.store.out, placement)


def _train_phases(
    opened: OpenStudy, estimate: StudyEstimate, backend: Backend, on_event: OnEvent, chosen: Placement | None
) -> tuple[Placement, Range | None]:
    """Train the missing runs, and then those whose settings they choose; gives what `_train` does."""
    placement, expected = _train(opened, estimate, backend, on_event, chosen)
    if opened.missing:  # tuning has ended: which runs are judged is known now
        for sentence in describe_changed_choices(opened.study, opened.records.values()):
            opened.log(sentence)
        judged = _plan_phase(opened).with_times_of(estimate.with_placement(placement))
        _train(opened, judged, backend, on_event, placement)
    return placement, expected


def _plan_phase(opened: OpenStudy) -> StudyEstimate:
    """What the runs that are missing now, and those after them, will need; in plan.json too."""
    estimate = estimate_missing(opened)
    opened.store.write_json("plan.json", plan_missing(opened, estimate).to_dict())
    return estimate


def estimate_missing(opened: OpenStudy) -> StudyEstimate:
    """What the runs that are missing, and those to come, will need, before a step is made."""
    tell_stage("estimating memory and disk")
    estimate = estimate_study(
        opened.runs,
        opened.missing,
        opened.prepared,
        opened.process_bytes,
        opened.store.out,
        opened.gpus,
        to_come=opened.to_come,
    )
    return replace(estimate, free_memory=opened.cluster.best.memory) if opened.cluster else estimate


def plan_missing(opened: OpenStudy, estimate: StudyEstimate) -> Plan:
    """What will be done, and what it will cost."""
    prepared = opened.prepared
    runs = map(prepared.select, opened.runs)
    conversations = summarise_conversations(run for run in runs if run.method.has_checkpoint)
    data = summarise_data(prepared.corpus, prepared.tokens, conversations)
    warnings = (*prepared.warnings, *estimate.warnings)
    done = frozenset(opened.done)
    formats = opened.prepared.prompt_formats
    return Plan(opened.study, opened.runs, done, data, estimate.cost, warnings, estimate.to_come, formats)


def _train(
    opened: OpenStudy, estimate: StudyEstimate, backend: Backend, on_event: OnEvent, chosen: Placement | None
) -> tuple[Placement, Range | None]:
    """Train the missing ones as packs, each run's record taken in as it ends.

    Gives where, and the seconds that they and those to come were expected to take.
    """

    def on(event: Event) -> None:
        if isinstance(event, RunEnded):
            opened.records[event.record.key] = event.record
            event = replace(event, collapse=_find_collapse(event.record, opened))
            _promote(event, opened)
        on_event(event)

    prepare_methods([opened.prepared.select(run) for run in estimate.missing], opened.log)
    earlier = _read_placement(opened)
    placement = chosen or _place(opened, estimate, backend, earlier)
    estimate = estimate.with_placement(placement)
    packs = estimate.plan_packs(placement)
    opened.store.write_placement(note_placement(placement, packs, opened, earlier))
    in_all = [*packs, *estimate.plan_packs_to_come(placement)]
    on_event(plan_work(packs, in_all[len(packs) :], placement, estimate))
    if chosen is None and (sentence := describe_expected(in_all, placement)):
        opened.log(sentence)  # once: the time left is of all that follow
    backend.run_packs(packs, placement, on)
    trained = [opened.records[run.key] for pack in packs for run in pack.runs if run.key in opened.records]
    if unused := describe_unused_states(trained):
        opened.log(Caution(unused))
    for sentence in describe_switched_off(trained):
        opened.log(Caution(sentence))
    opened.log(describe_placement(placement))
    return placement, predict_seconds(in_all, placement)


def _find_collapse(record: RunRecord, opened: OpenStudy) -> Collapse | None:
    """How the run collapsed, if it did; files that cannot be read are spoken of when the study ends."""
    with suppress(DamagedFileError):
        return find_collapse(opened.study, record, opened.read_predictions)
    return None


def _place(
    opened: OpenStudy, estimate: StudyEstimate, backend: Backend, earlier: PlacementRecord | None
) -> Placement:
    """Where they train: as `earlier` has it, which is the folder's own, or else chosen."""
    if again := find_again(earlier, opened):
        return again
    cluster = opened.cluster
    placement = place_on_cluster(estimate, backend, cluster) if cluster else place_study(estimate, backend)
    backend.stop()  # a process that has timed steps keeps the memory of its largest pack
    return replace(placement, kept=earlier.packs) if earlier else placement


def _read_placement(opened: OpenStudy) -> PlacementRecord | None:
    """The folder's placement, where the study asks for it and the machine is the same; else that is said."""
    earlier = opened.store.read_placement()
    if earlier is None or not (changes := list_changes(earlier, opened)):
        return earlier
    what = (
        "the missing runs will train under other conditions than the earlier ones, and may differ by "
        "rounding: "
    )
    opened.log(Caution(what + "; ".join(changes)))
    return None


def _write_findings(opened: OpenStudy) -> Findings:
    """What all records say, in `results.json` too; each tuned arm gets the model of its chosen setting."""
    records = list(opened.records.values())
    unanswered = (one for record in records for one in record.warnings if one.kind == ANSWERS_LEFT_OUT)
    warnings = (*opened.prepared.warnings, *unanswered, *describe_adapting(StudyLayout(opened.store.out)))
    done = opened.done
    has_results = any(run.key in done for run in opened.runs)
    # Logged first: a call that is killed before it writes results has then looked, and the next one knows.
    looks = opened.store.log_look(opened.study) if has_results else opened.store.read_looks()
    labels = opened.store.read_label_statistics()
    read = opened.read_predictions
    findings = make_findings(opened.study, records, warnings, read, opened.rule, looks, labels)
    findings = replace(findings, answers=collect_answers(findings, opened.store.get_run_folder))
    findings = replace(findings, warnings=(*findings.warnings, *_promote_chosen(findings, opened)))
    opened.store.rewrite_cards(
        opened.study.arms, done, lambda record: _describe_model(record, opened, findings)
    )
    opened.store.write_json("results.json", describe_findings(findings))
    return findings


def _promote(ended: RunEnded, opened: OpenStudy) -> None:
    """Let the run's model become its arm's, if it is the best so far."""
    opened.store.promote_model(
        ended.record, opened.study, lambda record: _write_card(record, opened, ended.collapse)
    )


def _promote_earlier(record: RunRecord, opened: OpenStudy) -> None:
    """The same of a run of an earlier call; its predictions are read only where its model gets a card."""
    opened.store.promote_model(record, opened.study, lambda best: _describe_model(best, opened))


def _describe_model(record: RunRecord, opened: OpenStudy, findings: Findings | None = None) -> str:
    """The card of a run that ended before, with what the study found, where that is known."""
    known = findings.collapses if findings else {}
    collapse = known[record.key] if record.key in known else _find_collapse(record, opened)
    return _write_card(record, opened, collapse, findings)


def _promote_chosen(findings: Findings, opened: OpenStudy) -> Iterator[StudyWarning]:
    """Let each tuned arm have the model of its best run; a warning where that was deleted."""
    for arm in dict.fromkeys(row.arm for row in findings.grid_rows):
        best = find_best_run(findings.study, findings.records, findings.grid_rows, arm)
        is_there = opened.store.promote_chosen(
            arm, best, lambda record: _describe_model(record, opened, findings)
        )
        if best is not None and not is_there:
            yield StudyWarning(
                kind="model-gone",
                message=f"{arm}: the model of its best run, {best.key}, was deleted, so models/{arm} "
                f"is missing; to restore it, delete runs/{best.key} and run again",
            )


def _write_card(
    record: RunRecord, opened: OpenStudy, collapse: Collapse | None, findings: Findings | None = None
) -> str:
    names, arm = opened.prepared.corpus.label_names, opened.study.arms[record.arm]
    has_base = get_method_traits(arm.method).has_checkpoint
    base = read_base_card(get_checkpoint(opened.study, arm)) if has_base else None
    return write_model_card(record, opened.study, names, collapse, base=base, findings=findings)
