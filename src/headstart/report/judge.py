"""Renders people's judgements of paired answers: the contrast, the judges, their agreement, and notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.analysis.answer_pairs import JudgingSheet
from headstart.analysis.judgements import Judgements
from headstart.report.numbers import format_p
from headstart.report.table_formats import Rows
from headstart.report.tables import make_table
from headstart.report.win_rates import format_rate
from headstart.wording import format_count


def describe_sheet(sheet: JudgingSheet, study: Path) -> str:
    """What was written, and what to do with it."""
    seeds = ", ".join(map(str, sheet.seeds))
    equal = f"; left out: {format_count(sheet.equal, 'pair')} of identical answers" if sheet.equal else ""
    return (
        f"wrote {sheet.path}: {format_count(sheet.rows, 'row')} to judge, each with the answers of "
        f"one seed drawn from {seeds}{equal}\nwrite 1, 2 or tie in the column choice, one copy per "
        f"judge; next: headstart judge {study} --read {sheet.path}"
    )


def render_judgements(found: Judgements) -> RenderableType:
    """Tables, the conclusion, and notes, for a terminal."""
    shown = [part for rows in make_judgement_tables(found) for part in (make_table(rows), Text())]
    return Group(
        *shown, Text(describe_judgements(found)), *(Text(note) for note in explain_judgements(found))
    )


def make_judgement_tables(found: Judgements) -> Iterator[Rows]:
    """The contrast, each judge, and each two judges, each with its heading first."""
    yield [
        [f"vs {found.control}", "prompts", "won", "tied", "lost", "win rate, 95%", "p, sign", "verdict"],
        [
            found.arm,
            *(f"{count:,}" for count in (found.prompts, found.wins, found.ties, found.losses)),
            format_rate(found.win_rate, found.low, found.high),
            format_p(found.p_sign),
            found.verdict,
        ],
    ]
    head = ["judge", "judged", "not yet", found.arm, "tie", found.control, "chose answer 1"]
    yield [
        head,
        *(
            [
                row.name,
                *(f"{n:,}" for n in (row.judged, row.unfinished, row.arm, row.ties, row.control, row.first)),
            ]
            for row in found.judges
        ),
    ]
    if found.agreements:
        yield [
            ["judges", "rows", "agree", "Cohen's kappa"],
            *(
                [
                    f"{row.first}, {row.second}",
                    f"{row.rows:,}",
                    f"{100 * row.share:.1f}%",
                    "-" if row.kappa is None else f"{row.kappa:.2f}",
                ]
                for row in found.agreements
            ),
        ]


def describe_judgements(found: Judgements) -> str:
    """The conclusion in one sentence, in the words of all others."""
    figures = (
        f"answer is preferred on {format_rate(found.win_rate, found.low, found.high)} of "
        f"{format_count(found.prompts, 'prompt')}, ties counting half (sign test p {format_p(found.p_sign)})."
    )
    if found.verdict == "undecided":
        return f"No clear difference between {found.arm} and {found.control}: {found.arm}'s {figures}"
    verb = "beats" if found.verdict == "better" else "is worse than"
    return f"{found.arm} {verb} {found.control}: its {figures}"


def explain_judgements(found: Judgements) -> Iterator[str]:
    """What the contrast rests on, and what it does not cover."""
    yield from found.notes
    units = "prompts" if found.groups is None else f"{found.groups:,} groups of prompts"
    yield (
        f"The interval is over {units}, with the answers of one randomly drawn seed per prompt: it "
        "holds for these runs only, not for other seeds."
    )
    if found.equal:
        yield f"Not shown, counted as ties: {format_count(found.equal, 'pair')} of identical answers."
    if found.unjudged:
        yield (
            f"{format_count(found.unjudged, 'row')} of the sheet not judged: left out, with the same "
            "share of the pairs of identical answers."
        )
    if len(found.judges) == 1:
        yield "One judge: agreement between judges is unknown."
    elif found.agreements:
        yield "Kappa uses the choices as written (1, 2 or tie); judges are averaged per prompt."
