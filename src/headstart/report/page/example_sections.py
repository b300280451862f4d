"""Sections of single examples: what is confused, confidently wrong texts, answers before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headstart.analysis.details.classes import ClassScores, Confusion, SeedAgreement
from headstart.analysis.details.examples import ArmsDiffer, WrongExample
from headstart.config.traits import get_method_traits
from headstart.report.numbers import format_metric
from headstart.report.page.blocks import Block, NamedTexts, PageTable, Section
from headstart.report.page.material import PageMaterial
from headstart.report.written_answers import list_lines

#: Classes up to which a page has the counts of a confusion matrix.
_MOST_CLASSES: Final = 20
_ANSWERS: Final = ("chrf", "exact_match", "stopped")
_TEXT: Final = "text"
_NO_TEXT: Final = "(not shown)"


def list_example_sections(material: PageMaterial) -> Iterator[Section]:
    """Those for which the study has predictions, or answers."""
    yield Section("classes", "Classes", tuple(_list_classes(material)))
    yield Section("texts", "Texts worth reading", tuple(_list_texts(material)))
    yield Section("answers", "Answers before and after training", tuple(_list_answers(material)))


def _list_classes(material: PageMaterial) -> Iterator[Block]:
    count = len(material.details.confusions)
    yield from material.list_last_figures("classes", count, "confusion matrices")
    yield from _list_scores(material)
    yield from _list_agreements(material)
    yield from material.list_figures("calibration")
    yield from _list_calibrations(material)
    for confusion in material.details.confusions:
        if len(confusion.names) <= _MOST_CLASSES:
            yield _make_confusion_table(confusion, material)


def _list_scores(material: PageMaterial) -> Iterator[PageTable]:
    if scores := material.details.class_scores:
        head = ["arm", "class", "precision", "recall", "F1", "test examples"]
        rows = ((_format_scores(row), row.size) for row in scores)
        caption = "Precision, recall and F1 of each class in %, means over seeds."
        yield material.make_table("classes", caption, head, rows, keys=2, most=30)


def _format_scores(row: ClassScores) -> list[str]:
    shares = map(_format_share, (row.precision, row.recall, row.f1))
    return [row.arm, row.name, *shares, f"{row.support:,}"]


def _list_agreements(material: PageMaterial) -> Iterator[PageTable]:
    if agreements := material.details.agreements:
        head = ["arm", "seeds", "agreement, %", "Cohen's kappa"]
        rows = ((_format_agreement(row), row.size) for row in agreements)
        caption = (
            "How often two seeds of an arm give a test example the same class, means over pairs of seeds."
        )
        yield material.make_table("agreement", caption, head, rows)


def _format_agreement(row: SeedAgreement) -> list[str]:
    kappa = "-" if row.kappa is None else f"{row.kappa:.3f}"
    return [row.arm, str(row.n_seeds), _format_share(row.agreement), kappa]


def _list_calibrations(material: PageMaterial) -> Iterator[PageTable]:
    if calibrations := material.details.calibrations:
        head = ["arm", "expected calibration error"]
        rows = (([row.arm, f"{row.error:.3f}"], row.size) for row in calibrations)
        caption = "Expected calibration error: the mean gap between confidence and accuracy, 0 at best."
        yield material.make_table("calibration", caption, head, rows)


def _make_confusion_table(confusion: Confusion, material: PageMaterial) -> PageTable:
    size = f" at train size {confusion.size}" if material.has_sizes else ""
    seeds = "1 seed" if confusion.n_seeds == 1 else f"{confusion.n_seeds} seeds together"
    stem = (
        f"confusion-{confusion.arm}-{confusion.size}" if material.has_sizes else f"confusion-{confusion.arm}"
    )
    rows = [
        [name, *(f"{count:,}" for count in counts)]
        for name, counts in zip(confusion.names, confusion.counts.tolist(), strict=True)
    ]
    caption = f"Counts of {confusion.arm}{size}, {seeds}: rows are the true class, columns the predicted one."
    return PageTable(stem, caption, [["true class", *confusion.names], *rows], is_folded=True)


def _list_texts(material: PageMaterial) -> Iterator[PageTable]:
    details = material.details
    if details.wrong:
        head = ["arm", "example", _TEXT, "true class", "predicted", "confidence, %", "wrong seeds"]
        caption = "The test examples that each arm got wrong with most confidence, the mean over seeds."
        rows = _drop_texts([head, *map(_format_wrong, details.wrong)])
        yield PageTable("confidently-wrong", caption, rows, 1, arms=material.arms, prose=frozenset((_TEXT,)))
    if details.differ:
        head = ["arm", "control", "example", _TEXT, "true class", "right, %", "control right, %"]
        caption = (
            "Test examples on which an arm and its control differ most: the share of seeds that are right."
        )
        rows = _drop_texts([head, *map(_format_differ, details.differ)])
        yield PageTable("arms-differ", caption, rows, 1, arms=material.arms, prose=frozenset((_TEXT,)))


def _drop_texts(rows: list[list[str]]) -> list[list[str]]:
    """Without the column of texts where none is there."""
    column = rows[0].index(_TEXT)
    if any(row[column] != _NO_TEXT for row in rows[1:]):
        return rows
    return [[*row[:column], *row[column + 1 :]] for row in rows]


def _format_wrong(row: WrongExample) -> list[str]:
    seeds = f"{row.wrong_seeds} of {row.n_seeds}"
    text = _NO_TEXT if row.text is None else row.text
    return [row.arm, str(row.id), text, row.label, row.predicted, _format_share(row.confidence), seeds]


def _format_differ(row: ArmsDiffer) -> list[str]:
    shares = (_format_share(row.right, 0), _format_share(row.control_right, 0))
    return [row.arm, row.control, str(row.id), _NO_TEXT if row.text is None else row.text, row.label, *shares]


def _format_share(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}"


def _list_answers(material: PageMaterial) -> Iterator[Block]:
    answers = material.findings.answers
    if answers is None:
        return
    if any(row.chrf is not None for row in answers.rows):
        head = ["arm", "chrF", "exact match, %", "stopped, %"]
        rows = (
            ([row.arm, *(format_metric(one, getattr(row, one)) for one in _ANSWERS)], row.size)
            for row in answers.rows
        )
        caption = "Answers to test prompts, means over seeds; stopped: the answer ended with an end token."
        yield material.make_table("answers", caption, head, rows)
    if material.with_texts:
        yield from (NamedTexts(tuple(list_lines(sample))) for sample in answers.samples)
        yield from _list_samples(material)


def _list_samples(material: PageMaterial) -> Iterator[NamedTexts]:
    """The study's own prompts, as the first run of each arm that trains answered them."""
    arms, shown = material.study.arms, set[str]()
    for record in material.findings.chosen:
        is_trained = get_method_traits(arms[record.arm].method).has_steps
        if record.samples and is_trained and record.arm not in shown:
            shown.add(record.arm)
            for sample in record.samples:
                yield NamedTexts(_name_sample(record.key, sample.prompt, sample.before, sample.after))


def _name_sample(key: str, prompt: str, before: str, after: str) -> tuple[tuple[str, str], ...]:
    return (
        ("prompt", prompt),
        ("before training", before or "(empty)"),
        (f"after ({key})", after or "(empty)"),
    )
