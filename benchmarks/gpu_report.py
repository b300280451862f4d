"""What the benchmark on a GPU found, as JSON and as tables; measures nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from gpu_cells import Job, Outcome, Participant, count_flops
from gpu_study import StudySize

GIB = 2**30
SKIPPED = "skipped: too little of the budget was left"
#: The order in which participants stand in a table.
ORDER: tuple[Participant, ...] = (
    "Trainer",
    "Trainer, compiled",
    "PEFT in Trainer",
    "eager",
    "captured",
    "compiled",
    "products",
)
#: NVIDIA's data sheets: dense products in bf16, operations a second. The first name that is in a GPU's own.
PEAKS = {
    "H200 NVL": 835e12,
    "H200": 989e12,
    "H100 NVL": 835e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
}
StudyPart = Literal["study by headstart", "study by Trainer"]
Work = Job | StudyPart


def name_work(work: Work) -> str:
    """What it is called on the way and by `--only`."""
    if not isinstance(work, Job):
        return work
    return f"{work.participant} R={work.members} {work.subject} T={work.length}"


@dataclass(frozen=True)
class Row:
    """A job with what came out, or the problem that kept anything from coming out."""

    job: Job
    outcome: Outcome | None = None
    problem: str = ""

    def __str__(self) -> str:
        if self.outcome is None:
            return self.problem
        return f"{self.outcome.ms:.3f} ms a run-step {self.outcome.how}".rstrip()


@dataclass(frozen=True)
class StudyTime:
    """Seconds that one participant takes for the whole study: measured, or of one run and all before it."""

    seconds: float = 0.0
    accuracy: float = 0.0
    note: str = ""
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        return f"{self.seconds:.1f} s, test accuracy {self.accuracy:.2f}; {self.note}"


@dataclass
class Findings:
    """All that was measured so far, with what it depends on."""

    machine: dict[str, str]
    options: dict[str, Any]
    study: StudySize
    rows: list[Row] = field(default_factory=list)
    studies: dict[StudyPart, StudyTime] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """As JSON."""
        rows = [asdict(row) | {"flops_of_a_run_step": count_flops(row.job)} for row in self.rows]
        path.write_text(json.dumps(asdict(self) | {"rows": rows}, indent=1) + "\n", "utf-8")


def find_peak(gpu: str) -> float | None:
    """Operations a second in bf16 as the maker says; None of a GPU that is not known, or a part of one."""
    if "MIG" in gpu:
        return None
    return next((peak for name, peak in PEAKS.items() if name in gpu), None)


# --- tables -------------------------------------------------------------------------------------------


_COLUMNS = (
    ("R", 5),
    ("ms a run-step", 15),
    ("least-greatest", 20),
    ("x peer", 8),
    ("GiB a run", 11),
    ("of floor", 10),
    ("of peak", 9),
    ("first s", 9),
)


def render(findings: Findings) -> str:
    """A table for each subject and length, what was skipped, and the study."""
    subjects = dict.fromkeys((row.job.subject, row.job.length) for row in findings.rows)
    peak = find_peak(findings.machine["GPU"])
    lines = [line for subject in subjects for line in render_table(select_rows(findings, *subject), peak)]
    skipped = [name_work(row.job) for row in findings.rows if row.problem == SKIPPED]
    if skipped:
        lines += ["", f"{SKIPPED}: {'; '.join(skipped)}"]
    return "\n".join([*lines, *render_study(findings)])


def select_rows(findings: Findings, subject: str, length: int) -> list[Row]:
    """Of one subject and length, all that was tried."""
    rows = [row for row in findings.rows if (row.job.subject, row.job.length) == (subject, length)]
    tried = [row for row in rows if row.problem != SKIPPED]
    return sorted(tried, key=lambda row: (ORDER.index(row.job.participant), row.job.members))


def render_table(rows: Sequence[Row], peak: float | None) -> list[str]:
    """The participants of one subject."""
    if not rows:
        return []
    job = rows[0].job
    what = f"{job.vocabulary:,} embedding rows" if job.vocabulary else "LoRA r=16 on query_key_value"
    heads = "".join(f"{name:>{width}}" for name, width in _COLUMNS)
    return [
        "",
        f"{job.subject}, {job.batch} x {job.length} tokens, {what}, bf16",
        f"{'':17}{heads}",
        *(render_row(row, rows, peak) for row in rows),
    ]


def render_row(row: Row, rows: Sequence[Row], peak: float | None) -> str:
    """One line of a table."""
    outcome, job = row.outcome, row.job
    if outcome is None:
        return f"{job.participant:17}{job.members:>5}  {row.problem}"
    peer = find_ms(rows, "PEFT in Trainer" if job.is_lora else "Trainer", 1)
    floor = None if job.participant == "products" else find_ms(rows, "products", job.members)
    texts = (
        str(job.members),
        f"{outcome.ms:.3f}",
        f"{outcome.least:.3f}-{outcome.greatest:.3f}",
        f"{peer / outcome.ms:.2f}" if peer else "-",
        f"{outcome.reserved / GIB / job.members:.3f}",
        f"{floor / outcome.ms:.0%}" if floor else "-",
        f"{1e3 * count_flops(job) / outcome.ms / peak:.1%}" if peak else "-",
        f"{outcome.first_seconds:.1f}",
    )
    columns = "".join(f"{text:>{width}}" for text, (_, width) in zip(texts, _COLUMNS, strict=True))
    return f"{job.participant:17}{columns}  {outcome.how}".rstrip()


def find_ms(rows: Sequence[Row], participant: Participant, members: int) -> float | None:
    """A participant's time among these rows, if it has one."""
    found = [
        row.outcome.ms
        for row in rows
        if row.outcome is not None and (row.job.participant, row.job.members) == (participant, members)
    ]
    return found[0] if found else None


def render_study(findings: Findings) -> list[str]:
    """Both participants' seconds, and how many times the one is the other."""
    if not findings.studies:
        return []
    size = findings.study
    what = f"{size.runs} runs of {size.shape}'s shape, {size.texts:,} texts, {size.epochs} epochs"
    lines = ["", f"a study: {what}, from the process's start to its end"]
    lines += [f"  {name:20}{taken}" for name, taken in findings.studies.items()]
    seconds = {name: taken.seconds for name, taken in findings.studies.items() if not taken.problem}
    if len(seconds) == len(findings.studies) == 2:
        times = seconds["study by Trainer"] / seconds["study by headstart"]
        lines.append(f"  Trainer takes {times:.2f} times as long as headstart")
    return lines
