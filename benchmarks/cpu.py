"""Times a training step on a CPU lever by lever, beside `Trainer` and the floor of its matrix products.

    python benchmarks/cpu.py --subjects books,rotten,bert-base --steps 96 --rounds 2 --json cpu.json

Participants are processes of their own, each once a round, in turn: the usual script's loop, the same with
levers added one after the other, each lever alone, Headstart's own steps, `Trainer`, and the products of the
very same batches. Where all steps are alike, fewer are timed. Leaves out subjects that this machine lacks.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, get_args

from levers import BATCH, ORDER, Levers, Name, Part, be, missing
from machine import machine

#: Where all steps are alike, one of so many is timed, and at least so many.
_ALIKE_SHARE, _ALIKE_LEAST = 4, 20
_WORDS = {
    "buckets": "length buckets",
    "masks": "own dropout",
    "bf16": "bf16 autocast",
    "memory": "freed memory kept",
    "few": "few lengths",
    "flat": "flat weights, fused AdamW",
    "rows": "embedding rows in use",
}
_EACH = "a process a core"
_HEADSTART, _FLOOR = "Headstart", "floor: products alone"
_MANY, _FLOOR_MANY = f"{_HEADSTART}, {_EACH}", f"{_FLOOR}, {_EACH}"
_PADDED, _GROUPED = "Trainer, padded", "Trainer, by length"
_PADDED_BF16, _GROUPED_BF16 = f"{_PADDED}, bf16", f"{_GROUPED}, bf16"
_GROUPED_MANY = f"{_GROUPED_BF16}, {_EACH}"
#: Peers by the name of their column: how many times as fast as they a participant is.
_PEERS = {"padded": _PADDED, "pad bf16": _PADDED_BF16, "length": _GROUPED, "len bf16": _GROUPED_BF16}
#: What is aimed at on books: times as fast as a peer, and times the floor.
_FASTER = {_PADDED: 7.0, _GROUPED: 2.5, _GROUPED_BF16: 1.7}
_OVER_FLOOR = 1.7


@dataclass(frozen=True)
class Options:
    """The command line."""

    subjects: list[Name]
    steps: int
    rounds: int
    threads: int
    only: list[str]
    json: Path | None
    part: str | None


def options(arguments: Sequence[str]) -> Options:
    """The command line, checked."""
    from headstart.processors import count_processors

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add, names = parser.add_argument, list(get_args(Name))
    add("--subjects", type=lambda text: text.split(","), default=names, help=f"some of {','.join(names)}")
    add("--steps", type=int, default=96, help="steps timed, after 4 that are not: 96 are an epoch of books")
    add("--rounds", type=int, default=2, help="each holds every participant once")
    add("--threads", type=int, default=count_processors(), help="of each process but those at once")
    add("--only", type=lambda text: text.split(","), default=[], help="words: participants that hold one")
    add("--json", type=Path, help="file for the numbers")
    add("--part", help=argparse.SUPPRESS)
    parsed = Options(**vars(parser.parse_args(arguments)))
    if not set(parsed.subjects) <= set(names):
        parser.error(f"--subjects {','.join(parsed.subjects)}: some of {', '.join(names)} expected")
    if min(parsed.steps, parsed.rounds, parsed.threads) < 1:
        parser.error("--steps, --rounds and --threads: counts of at least 1 expected")
    return parsed


def main(arguments: Sequence[str]) -> None:
    """Be one participant, or lead the rounds."""
    wanted = options(arguments)
    if wanted.part is not None:
        given = json.loads(wanted.part)
        print(json.dumps(be(Part(**{**given, "levers": Levers(**given["levers"])}))))
        return
    print("  ".join(f"{name}: {value}" for name, value in machine().items()))
    numbers: dict[str, Any] = {"machine": machine()}

    def keep(name: Name, rounds: Rounds) -> None:
        numbers[name] = rounds
        if wanted.json is not None:
            wanted.json.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")

    for name in wanted.subjects:
        lead(name, wanted, keep)


# --- the participants ---------------------------------------------------------------------------------


def participants(subject: Name, wanted: Options) -> dict[str, list[Part]]:
    """Each by name: one process, or some at once that share the processors."""
    base = Part("loop", subject, wanted.steps, wanted.threads)
    found = {"usual script, fp32, padded": [base]}
    levers = Levers()
    for name in ORDER:
        levers = replace(levers, **{name: True})
        found[f"+ {_WORDS[name]}"] = [replace(base, levers=levers)]
    found |= {f"only {_WORDS[name]}": [replace(base, levers=Levers(**{name: True}))] for name in ORDER[:-1]}
    found["only embedding rows in use"] = [replace(base, levers=Levers(rows=True))]
    found.pop(f"only {_WORDS['few']}")  # without buckets there is one length
    found |= _own(base, wanted.threads) | _trainers(base)
    return {
        name: [_fewer(part) for part in parts]
        for name, parts in found.items()
        if not wanted.only or any(word in name for word in wanted.only)
    }


def _own(base: Part, threads: int) -> dict[str, list[Part]]:
    """Headstart with all threads, as a process a core, and what the products of each alone take."""
    bf16 = Levers(bf16=_has_bf16())
    headstart, floor = replace(base, kind="headstart"), replace(base, kind="floor", levers=bf16)
    return {
        _HEADSTART: [headstart],
        _MANY: _many(headstart, threads),
        _FLOOR: [floor],
        f"{_FLOOR}, fp32": [replace(floor, levers=Levers())],
        _FLOOR_MANY: _many(floor, threads),
    }


def _many(part: Part, count: int) -> list[Part]:
    """So many at once, of one thread each."""
    return [replace(part, threads=1, waits=True)] * count


def _trainers(base: Part) -> dict[str, list[Part]]:
    """`Trainer` as it comes, by length, both with bf16=True, and the fastest as a process a core too."""
    trainer = replace(base, kind="trainer")
    grouped = replace(trainer, levers=Levers(buckets=True))
    grouped_bf16 = replace(trainer, levers=Levers(buckets=True, bf16=True))
    return {
        _PADDED: [trainer],
        _PADDED_BF16: [replace(trainer, levers=Levers(bf16=True))],
        _GROUPED: [grouped],
        _GROUPED_BF16: [grouped_bf16],
        _GROUPED_MANY: _many(grouped_bf16, base.threads),
    }


def _has_bf16() -> bool:
    from headstart.device import choose_device, choose_precision

    return choose_precision("auto", choose_device("cpu")) == "bf16"


def _fewer(part: Part) -> Part:
    """Fewer steps where all are alike."""
    varies = part.kind in ("headstart", "floor") or part.levers.buckets
    if varies and part.subject != "bert-base":
        return part
    return replace(part, steps=min(part.steps, max(_ALIKE_LEAST, part.steps // _ALIKE_SHARE)))


# --- the rounds ---------------------------------------------------------------------------------------


Outcome = dict[str, float]
Rounds = list[dict[str, Outcome]]


def lead(subject: Name, wanted: Options, keep: Callable[[Name, Rounds], None]) -> None:
    """Time all participants of a subject, round after round, and print what was found."""
    why = missing(subject)
    if why is not None:
        print(f"\n{subject}: left out, {why}", flush=True)
        return
    parts = participants(subject, wanted)
    if not parts:
        raise SystemExit(f"--only {','.join(wanted.only)}: no participant's name holds one of these")
    rounds: Rounds = []
    for number in range(wanted.rounds):
        order = list(parts) if number % 2 == 0 else list(reversed(parts))
        rounds.append({name: _report_outcome(name, at_once(parts[name])) for name in order})
        keep(subject, rounds)
    what = f"{wanted.steps} steps of {BATCH} texts, {wanted.threads} threads, rounds: {wanted.rounds}"
    print(f"\n{subject}: {what}")
    print(table(rounds, list(parts)))
    print("\n".join(conclusions(rounds, has_aims=subject == "books")), flush=True)


def _report_outcome(name: str, outcome: Outcome) -> Outcome:
    print(f"  {name}: {outcome['ms']:.1f} ms", file=sys.stderr, flush=True)
    return outcome


def at_once(parts: Sequence[Part]) -> Outcome:
    """Processes that begin together: `ms` a step of any, from the first's begin to the last's end."""
    with ExitStack() as stack:
        started = [_start(part, stack) for part in parts]
        waiting = [process for process, part in zip(started, parts, strict=True) if part.waits]
        ready = [_line_of(process) for process in waiting]
        for process, line in zip(waiting, ready, strict=True):
            if line == "ready\n":
                _tell(process)
        outcomes = [_result(process) for process in started]
    seconds = max(outcome.pop("ended") for outcome in outcomes) - min(
        outcome.pop("began") for outcome in outcomes
    )
    mean = {key: sum(outcome[key] for outcome in outcomes) / len(outcomes) for key in outcomes[0]}
    return {"ms": 1e3 * seconds / (parts[0].steps * len(outcomes)), **mean, "processes": float(len(outcomes))}


def _start(part: Part, stack: ExitStack) -> subprocess.Popen[str]:
    """A process that is `part`, killed when the stack closes."""
    command = [sys.executable, __file__, "--part", json.dumps(asdict(part))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def _line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _result(process: subprocess.Popen[str]) -> Outcome:
    """The line that it says in the end; what went wrong stands on stderr."""
    stdout, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a participant exited with code {process.returncode}")
    outcome: Outcome = json.loads(stdout.strip().splitlines()[-1])
    return outcome


# --- the report ---------------------------------------------------------------------------------------


_HEAD = f"{'':42}{'ms a step':>10}{'spread':>14}{'tokens':>8}{'x floor':>9}"
_TAIL = f"{'faults':>8}{'peak MiB':>10}"


def table(rounds: Rounds, names: Sequence[str]) -> str:
    """A line for each participant: medians over the rounds."""
    peers = "".join(f"{name:>9}" for name in _PEERS)
    above = f"{'times as fast as Trainer:':>{len(_HEAD) + len(peers)}}"
    return "\n".join([above, _HEAD + peers + _TAIL, *(_line(rounds, name) for name in names)])


def _line(rounds: Rounds, name: str) -> str:
    ms = [round_outcomes[name]["ms"] for round_outcomes in rounds]
    spread = f"{min(ms):.1f}-{max(ms):.1f}"
    tokens, faults, peak = (middle(rounds, name, key) for key in ("tokens", "faults", "peak"))
    against = [ratio(rounds, name, _FLOOR), *(ratio(rounds, peer, name) for peer in _PEERS.values())]
    shown = "".join(
        f"{'' if round_outcomes is None else f'{round_outcomes:.2f}':>9}" for round_outcomes in against
    )
    return f"{name:42}{median(ms):10.1f}{spread:>14}{tokens:8.0f}{shown}{faults:8.0f}{peak:10.0f}"


def middle(rounds: Rounds, name: str, key: str) -> float:
    """The median over the rounds."""
    return median(round_outcomes[name][key] for round_outcomes in rounds)


def ratio(rounds: Rounds, slower: str, faster: str, *, per: str | None = None) -> float | None:
    """How many times the one's step is the other's: the median of the rounds' own ratios.

    `per` is what the milliseconds are divided by first, such as `texts` for the tokens without padding.
    """
    if not {slower, faster} <= set(rounds[0]):
        return None

    def cost(outcome: Outcome) -> float:
        return outcome["ms"] / (outcome[per] if per else 1)

    return median(cost(round_outcomes[slower]) / cost(round_outcomes[faster]) for round_outcomes in rounds)


def conclusions(rounds: Rounds, *, has_aims: bool) -> list[str]:
    """Each way in which Headstart trains against peers, floor and memory, and whether an aim is reached."""
    lines = []
    for way, floors in ((_HEADSTART, [_FLOOR]), (_MANY, [_FLOOR, _FLOOR_MANY])):
        if way not in rounds[0]:
            continue
        lines.append(f"{way}:")
        lines += [_above(rounds, way, floor, has_aims) for floor in floors if floor in rounds[0]]
        lines += [_against(rounds, way, peer, has_aims) for peer in _FASTER if peer in rounds[0]]
        lines += [_memory(rounds, way, peer, has_aims) for peer in _FASTER if peer in rounds[0]]
    if {_MANY, _GROUPED_MANY} <= set(rounds[0]):
        lines.append(f"both {_EACH}:")
        lines.append(_against(rounds, _MANY, _GROUPED_MANY, has_aims=False))
    return [*lines, *_texts(rounds)]


def _above(rounds: Rounds, way: str, floor: str, has_aims: bool) -> str:
    times = ratio(rounds, way, floor)
    assert times is not None
    return (
        f"  {times:5.2f} times '{floor}'{_verdict(times <= _OVER_FLOOR, f'at most {_OVER_FLOOR}', has_aims)}"
    )


def _against(rounds: Rounds, way: str, peer: str, has_aims: bool) -> str:
    """Text of the steps timed may differ, for each has an order of its own: both ratios count."""
    times, fair = ratio(rounds, peer, way), ratio(rounds, peer, way, per="texts")
    assert times is not None
    assert fair is not None
    aim = _FASTER.get(peer, 0.0)
    return (
        f"  {times:5.2f} times as fast as {peer}, {fair:.2f} for as many tokens of text"
        f"{_verdict(min(times, fair) >= aim, f'at least {aim}', has_aims)}"
    )


def _memory(rounds: Rounds, way: str, peer: str, has_aims: bool) -> str:
    """Peak of all processes, each counted whole: pages that they share are counted twice."""
    peak, count = middle(rounds, way, "peak"), middle(rounds, way, "processes")
    theirs = middle(rounds, peer, "peak")
    shown = f"{peak:.0f} MiB" if count == 1 else f"{count:.0f} x {peak:.0f} MiB"
    return (
        f"  peak memory {shown}, {peer} {theirs:.0f}{_verdict(count * peak <= theirs, 'no more', has_aims)}"
    )


def _verdict(is_reached: bool, aim: str, has_aims: bool) -> str:
    return f" (aim: {aim}): {'reached' if is_reached else 'missed'}" if has_aims else ""


def _texts(rounds: Rounds) -> list[str]:
    """What the steps timed held of text, beside what the data hold: where they differ, time more steps."""
    names = [name for name in (_HEADSTART, _PADDED, _GROUPED) if name in rounds[0]]
    return [
        f"{name}: {middle(rounds, name, 'texts'):.0f} tokens of text in a step timed, "
        f"{middle(rounds, name, 'data'):.0f} in one of all texts"
        for name in names
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
