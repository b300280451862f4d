"""Measures a run-step, and memory a run, of runs one after another, stacked as one, and in processes at once.

    python benchmarks/packs.py --shapes tiny,minilm --lengths 16,128 --members 1,2,4,8 --json packs.json

Beside them Hugging Face's Trainer makes the same steps, and the matrix products of a step, and its
optimiser, are timed alone: what no way of grouping runs can save. Models are random and texts are random ids
of one length: nothing is downloaded, nothing is learned, and no accuracy is claimed. Every participant of
every round is a fresh process that prints one line of JSON. Refuses texts longer than a shape takes, and
what memory would not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from cells import SHAPES, WARM, Cell, be
from machine import machine

#: A larger pack must make run-steps this much faster: less is noise, and a small pack frees memory.
GAIN = 1.05
#: Of the memory that is free, the share that a participant may fill.
MEMORY_SHARE = 0.8
MIB = 2**20


@dataclass(frozen=True)
class Outcome:
    """Milliseconds of a run-step, and of a fresh process the peak of memory, in MiB a run.

    `base` is what a process holds before it has a model; `failed` says why nothing was measured.
    """

    ms: float
    mib: float = 0.0
    base: float = 0.0
    failed: str = ""


#: What one round found, by participant: `one 1`, `stack 4`, `processes 4`, `trainer 1`, `products 4`, ...
Round = dict[str, Outcome]


@dataclass(frozen=True)
class Options:
    """What is measured, and how often."""

    shapes: list[str]
    members: list[int]
    lengths: list[int]
    batch: int
    steps: int
    rounds: int
    precision: Literal["auto", "fp32", "bf16"]
    device: Literal["auto", "cpu", "cuda"]
    threads: int
    processes: int
    vocabulary: int | None
    json: Path | None
    cell: str | None


def options(arguments: Sequence[str]) -> Options:
    """The command line, checked."""
    parser = _parser()
    parsed = Options(**vars(parser.parse_args(arguments)))
    for name in parsed.shapes:
        if name not in SHAPES:
            parser.error(f"--shapes {name}: some of {', '.join(SHAPES)} expected")
        if max(parsed.lengths) > SHAPES[name].longest:
            parser.error(
                f"--lengths {max(parsed.lengths)}: {name} takes {SHAPES[name].longest} tokens at most"
            )
    least = min(*parsed.members, *parsed.lengths, parsed.batch, parsed.steps, parsed.rounds, parsed.threads)
    if least < 1:
        parser.error(f"{least}: a count of at least 1 expected")
    return parsed


def _parser() -> argparse.ArgumentParser:
    from headstart.processors import count_processors

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add, usable = parser.add_argument, count_processors()
    add("--shapes", type=_words, default=["tiny", "minilm"], help=f"some of {','.join(SHAPES)}")
    add("--members", type=_counts, default=[1, 2, 4, 8], help="how many runs at once; 1,2,4,8 by default")
    add("--lengths", type=_counts, default=[16, 128], help="tokens of each text; 16,128 by default")
    add("--batch", type=int, default=8, help="texts of a run's step")
    add("--steps", type=int, default=10, help=f"steps timed, after {WARM} that are not")
    add("--rounds", type=int, default=3, help="each holds every participant once, in turn")
    add("--precision", choices=["auto", "fp32", "bf16"], default="auto", help="auto: as Headstart chooses")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto")
    add("--threads", type=int, default=usable, help=f"of each process but those at once; here {usable}")
    add("--processes", type=int, default=4 * usable, help="most processes at once; four a core by default")
    add("--vocabulary", type=int, help="rows of the embedding in place of a shape's own, as if compacted")
    add("--json", type=Path, help="file for the numbers")
    add("--cell", help=argparse.SUPPRESS)
    return parser


def _words(text: str) -> list[str]:
    return text.split(",")


def _counts(text: str) -> list[int]:
    return sorted({int(word) for word in text.split(",")})


def main(arguments: Sequence[str]) -> None:
    """Be one participant, or lead the rounds."""
    wanted = options(arguments)
    if wanted.cell is None:
        lead(wanted)
    else:
        print(json.dumps(be(Cell(**json.loads(wanted.cell)))))


# --- the rounds ---------------------------------------------------------------------------------------


def lead(wanted: Options) -> None:
    """A table for each shape and length, as soon as its rounds are over, and the file of numbers."""
    cell = first_cell(wanted)
    described = describe_machine(cell)
    print(" | ".join(f"{key}: {value}" for key, value in described.items()), flush=True)
    tables = []
    for shape in wanted.shapes:
        for length in wanted.lengths:
            table_cell = replace(cell, shape=shape, length=length)
            rounds = [measure_round(table_cell, wanted, number) for number in range(wanted.rounds)]
            print(table(table_cell, rounds, wanted.members), flush=True)
            tables.append(numbers(table_cell, rounds, wanted.members))
            if wanted.json is not None:
                results = {"machine": described, "options": _shown(wanted), "tables": tables}
                wanted.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def first_cell(wanted: Options) -> Cell:
    """A cell with what the whole command shares: device and number format as Headstart would choose them."""
    from headstart.device import choose_device, choose_precision

    device = choose_device(wanted.device)
    precision = choose_precision(wanted.precision, device)
    assert precision != "fp64"
    return Cell(
        kind="one",
        shape=wanted.shapes[0],
        length=wanted.lengths[0],
        batch=wanted.batch,
        members=1,
        steps=wanted.steps,
        threads=wanted.threads,
        precision=precision,
        device="cuda" if device.type == "cuda" else "cpu",
        vocabulary=wanted.vocabulary,
    )


def describe_machine(cell: Cell) -> dict[str, str]:
    """What the numbers depend on besides the code."""
    import torch

    from headstart.store.provenance import describe_processor

    device = torch.cuda.get_device_name() if cell.device == "cuda" else "cpu"
    return {
        "processor": describe_processor(),
        "device": device,
        "number format": cell.precision,
        "threads": str(cell.threads),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "not set"),
        **machine(),
    }


def _shown(wanted: Options) -> dict[str, Any]:
    return {key: value for key, value in asdict(wanted).items() if key not in ("json", "cell")}


def measure_round(cell: Cell, wanted: Options, number: int) -> Round:
    """Every participant once; packs and processes of one R side by side, in turns from few and from many."""
    single = alone(cell)
    if single.failed:
        raise SystemExit(f"one run of {cell.shape} failed: {single.failed}")
    outcomes = {"one 1": single, "stack 1": single, "trainer 1": alone(replace(cell, kind="trainer"))}
    for members in wanted.members[:: -1 if number % 2 else 1]:
        if members > 1:
            outcomes[f"stack {members}"] = stacked(replace(cell, kind="stack", members=members), single)
        if members <= wanted.processes:
            outcomes[f"processes {members}"] = processes(cell, members, single)
    return outcomes | floors(cell, [m for m in wanted.members if not outcomes[f"stack {m}"].failed])


def alone(cell: Cell) -> Outcome:
    """What one process measures by itself."""
    (result,) = at_once([cell])
    outcome = _outcome(result, cell.members) if "failed" not in result else _failure(result["failed"])
    return _report_outcome(cell, f"{cell.kind} {cell.members}", outcome)


def _report_outcome(cell: Cell, name: str, outcome: Outcome) -> Outcome:
    """The outcome, once whoever waits for the table has seen it."""
    what = outcome.failed or f"{outcome.ms:.2f} ms a run-step, {outcome.mib:.0f} MiB a run"
    print(f"{cell.shape}, {cell.length} tokens, {name}: {what}", file=sys.stderr, flush=True)
    return outcome


def _outcome(result: dict[str, Any], members: int) -> Outcome:
    """The median step, shared out to the members."""
    marks = result["marks"]
    spans = [after - before for before, after in pairwise(marks)]
    ms = 1e3 * statistics.median(spans) / members
    return Outcome(ms, result["peak"] / MIB / members, result["base"] / MIB)


def _failure(why: str) -> Outcome:
    return Outcome(float("inf"), float("nan"), failed=why)


def stacked(cell: Cell, single: Outcome) -> Outcome:
    """R runs together, where memory should hold them: each needs what a run has above its process's base."""
    if cell.device == "cpu" and single.base + cell.members * (single.mib - single.base) > _free_mib():
        return _failure("no memory")
    return alone(cell)


def processes(cell: Cell, count: int, single: Outcome) -> Outcome:
    """`count` processes of one thread at once: from the first's begin to the last's end, a run-step."""
    if cell.device == "cpu" and count * single.mib > _free_mib():
        return _failure("no memory")
    results = at_once([replace(cell, threads=1, waits=True)] * count)
    failures = [result["failed"] for result in results if "failed" in result]
    if failures:
        return _failure(failures[0])
    seconds = max(result["marks"][-1] for result in results) - min(result["marks"][0] for result in results)
    mib = statistics.mean(result["peak"] for result in results) / MIB
    outcome = Outcome(1e3 * seconds / (count * cell.steps), mib, results[0]["base"] / MIB)
    return _report_outcome(cell, f"processes {count}", outcome)


def _free_mib() -> float:
    import psutil

    return MEMORY_SHARE * float(psutil.virtual_memory().available) / MIB


def floors(cell: Cell, members: Sequence[int]) -> Round:
    """The matrix products of R runs' step alone, and one run's clipping and update alone."""
    outcomes = {f"products {r}": alone(replace(cell, kind="products", members=r)) for r in members}
    return outcomes | {"optimiser 1": alone(replace(cell, kind="optimiser"))}


def at_once(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """What a fresh process for each cell says, all started together; none is left behind."""
    with ExitStack() as stack:
        started = [_Process(cell, stack) for cell in cells]
        for process in started:
            process.await_ready()
        for process in started:
            process.begin()
        return [process.result() for process in started]


class _Process:
    """A process that measures one cell; killed when its `stack` closes."""

    def __init__(self, cell: Cell, stack: ExitStack) -> None:
        self._cell, self._heard = cell, ""
        errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - the stack closes it
        self._errors = stack.enter_context(errors)
        self._own = stack.enter_context(
            subprocess.Popen(
                [sys.executable, __file__, "--cell", json.dumps(asdict(cell))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
            )
        )
        stack.callback(self._own.kill)

    def await_ready(self) -> None:
        """Return once the process waits for the others, or has failed before."""
        if self._cell.waits:
            assert self._own.stdout is not None
            self._heard = self._own.stdout.readline()

    def begin(self) -> None:
        """Let it time its steps."""
        if self._heard == "ready\n":
            assert self._own.stdin is not None
            self._own.stdin.write("go\n")
            self._own.stdin.flush()

    def result(self) -> dict[str, Any]:
        """The line that it says in the end, or why there is none."""
        lines = (self._heard + self._own.communicate()[0]).splitlines()
        if self._own.returncode == -9:
            return {"failed": "killed"}  # by the system, which ran out of memory
        if self._own.returncode:
            self._errors.seek(0)
            raise SystemExit(
                f"{self._cell} ended with {self._own.returncode}:\n{self._errors.read()[-4000:]}"
            )
        values: dict[str, Any] = json.loads(lines[-1])
        return values


# --- the numbers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """A figure over rounds: the median, the least and the greatest."""

    median: float
    least: float
    greatest: float

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2
        if self.median == float("inf"):
            return "no memory"
        return f"{self.median:.{digits}f} [{self.least:.{digits}f}-{self.greatest:.{digits}f}]"


def span(values: Sequence[float]) -> Span:
    """The values' span."""
    return Span(statistics.median(values), min(values), max(values))


def times(rounds: Sequence[Round], name: str) -> Span | None:
    """Milliseconds of a run-step; None where the participant was not asked."""
    spans = [outcomes[name].ms for outcomes in rounds if name in outcomes]
    return span(spans) if spans else None


def ratio(rounds: Sequence[Round], slower: str, faster: str) -> Span | None:
    """How many times the run-steps of `slower` the participant `faster` makes, round by round."""
    both = [
        (outcomes[slower], outcomes[faster])
        for outcomes in rounds
        if slower in outcomes and faster in outcomes
    ]
    ratios = [first.ms / second.ms for first, second in both if not first.failed and not second.failed]
    return span(ratios) if ratios else None


def memory(rounds: Sequence[Round], name: str) -> float | None:
    """MiB a run, the most over rounds."""
    peaks = [outcomes[name].mib for outcomes in rounds if name in outcomes and not outcomes[name].failed]
    return max(peaks, default=None)


_COLUMNS = (
    ("R", 3),
    ("(a) one by one", 18),
    ("(b) as one", 18),
    ("(c) processes", 18),
    ("(d) Trainer", 18),
    ("a/b", 18),
    ("a/c", 18),
    ("d/b", 18),
    ("b MiB", 7),
    ("c MiB", 7),
    ("products", 18),
    ("of b", 6),
)


def table(cell: Cell, rounds: Sequence[Round], members: Sequence[int]) -> str:
    """One shape's and one length's table, and below it what it says."""
    peaks = f"(a) {_plain(memory(rounds, 'one 1'))}, (d) {_plain(memory(rounds, 'trainer 1'))}"
    head = (
        f"\n{cell.shape}, batch {cell.batch}, {cell.length} tokens, {cell.precision}: ms a run-step, median "
        f"over rounds ({len(rounds)}) [least-greatest]; MiB a run at the peak, {peaks}; "
        f"load {os.getloadavg()[0]:.1f}"
    )
    lines = ["".join(f"{name:>{width}}" for name, width in _COLUMNS)]
    lines += [_line(rounds, r) for r in members]
    return "\n".join([head, *lines, *sentences(rounds, members)])


def _line(rounds: Sequence[Round], r: int) -> str:
    stack, apart, trainer = f"stack {r}", f"processes {r}", "trainer 1"
    share = ratio(rounds, f"products {r}", stack)
    cells = (
        r,
        times(rounds, "one 1"),
        times(rounds, stack),
        times(rounds, apart),
        times(rounds, trainer),
        ratio(rounds, "one 1", stack),
        ratio(rounds, "one 1", apart),
        ratio(rounds, trainer, stack),
        _plain(memory(rounds, stack)),
        _plain(memory(rounds, apart)),
        times(rounds, f"products {r}"),
        f"{share.median:.0%}" if share else None,
    )
    return "".join(f"{'-' if c is None else c!s:>{w}}" for c, (_, w) in zip(cells, _COLUMNS, strict=True))


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def sentences(rounds: Sequence[Round], members: Sequence[int]) -> list[str]:
    """Where packing stops paying, how processes do, and what bounds a step."""
    best, stop = crossover(gains(rounds, members))
    bounds = [bound(rounds, 1, "one by one")] if "products 1" in rounds[0] else []
    if best > 1:
        bounds.append(bound(rounds, best, f"{best} as one"))
    return [
        verdict(rounds, members, best, stop),
        *doubt(rounds, members),
        beside(rounds, members, best),
        *bounds,
    ]


def doubt(rounds: Sequence[Round], members: Sequence[int]) -> list[str]:
    """Which packs pay in one round and not in another: the verdict rests on them and is not settled."""
    spans = {r: ratio(rounds, "one 1", f"stack {r}") for r in members if r > 1}
    unsure = [str(r) for r, own in spans.items() if own and own.least < GAIN <= own.greatest]
    if len(rounds) == 1:
        return ["one round settles nothing: ask for more"]
    return [f"not settled: rounds disagree on whether R = {', '.join(unsure)} pays"] if unsure else []


def gains(rounds: Sequence[Round], members: Sequence[int]) -> dict[int, float]:
    """By R, how many times the run-steps of one after another a pack of R makes; 1 for a pack of one."""
    spans = {r: ratio(rounds, "one 1", f"stack {r}") for r in members}
    return {1: 1.0} | {r: own.median for r, own in spans.items() if own and r > 1}


def crossover(gain_of: dict[int, float]) -> tuple[int, int | None]:
    """The smallest pack that is about as good as any, and the R at which more runs no longer pay, if tried.

    About as good: none is faster by `GAIN`.
    """
    most = max(gain_of.values())
    best = min(r for r, gain in gain_of.items() if gain * GAIN >= most)
    larger = [r for r in gain_of if r > best]
    return best, min(larger, default=None)


def verdict(rounds: Sequence[Round], members: Sequence[int], best: int, stop: int | None) -> str:
    """The crossover in words."""
    packs = {r: gain for r, gain in gains(rounds, members).items() if r > 1}
    if not packs:
        return "no packs were measured"
    shown = {r: f"{ratio(rounds, 'one 1', f'stack {r}')} times" for r in packs}
    if best == 1:
        r = max(packs, key=lambda r: packs[r])
        return (
            "packing does not pay on this machine for this shape: "
            f"{r} as one, the best, make {shown[r]} the run-steps of one by one"
        )
    gained = f"{best} as one make {shown[best]} the run-steps of one by one"
    if stop is None:
        return f"packing still pays at R = {best}, the most that was measured: {gained}"
    return f"packing stops paying at R = {stop}: {gained}, {stop} as one {shown[stop]}"


def beside(rounds: Sequence[Round], members: Sequence[int], best: int) -> str:
    """The best count of processes, against one by one and against the pack."""
    spans = {r: own for r in members if (own := times(rounds, f"processes {r}"))}
    if not spans:
        return "processes at once were not tried"
    r = min(spans, key=lambda r: spans[r].median)
    against, pack = ratio(rounds, "one 1", f"processes {r}"), ratio(rounds, f"stack {best}", f"processes {r}")
    assert against is not None
    assert pack is not None
    than = "one by one" if best == 1 else f"one by one, {pack.median:.2f} times that of {best} as one"
    return f"processes of one thread at once make, at best with R = {r}, {against.median:.2f} times {than}"


def bound(rounds: Sequence[Round], r: int, words: str) -> str:
    """How much of a run-step the floors explain."""
    products = ratio(rounds, f"products {r}", f"stack {r}")
    optimiser = ratio(rounds, "optimiser 1", f"stack {r}")
    assert products is not None
    assert optimiser is not None
    parts = {"matrix products": products.median, "clipping and AdamW": optimiser.median}
    parts["the rest (element-wise work, dropout, Python)"] = max(0.0, 1 - sum(parts.values()))
    fractions = ", ".join(f"{name} {share:.0%}" for name, share in parts.items())
    most = max(parts, key=lambda name: parts[name])
    return f"{words}: {fractions} of the step; bound by {most.partition(' (')[0]}"


def numbers(cell: Cell, rounds: Sequence[Round], members: Sequence[int]) -> dict[str, Any]:
    """Everything measured of one shape and length, for `--json`."""
    best, stop = crossover(gains(rounds, members))
    return {
        "shape": {"name": cell.shape, **asdict(cell.sizes)},
        "length": cell.length,
        "batch": cell.batch,
        "rounds": [{name: _finite(outcome) for name, outcome in outcomes.items()} for outcomes in rounds],
        "median_ms": {name: _number(own) for name in rounds[0] if (own := times(rounds, name))},
        "gain_over_one_by_one": gains(rounds, members),
        "best_pack": best,
        "stops_paying_at": stop,
        "sentences": sentences(rounds, members),
    }


def _finite(outcome: Outcome) -> dict[str, Any]:
    """JSON has neither infinity nor nan."""
    values = asdict(outcome)
    return values | {"ms": None, "mib": None} if outcome.failed else values


def _number(own: Span) -> float | None:
    return own.median if own.median < float("inf") else None


if __name__ == "__main__":
    main(sys.argv[1:])
