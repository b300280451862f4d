"""Times a training step on a CPU lever by lever, beside `Trainer` and the floor of its matrix products.

    python benchmarks/cpu.py --subjects books,rotten,bert-base --steps 46 --rounds 2

Participants are processes of their own, each once a round, in turn: the usual script's loop, the same with
levers added one after the other, each lever alone, Headstart's own steps, `Trainer`, and the products of the
very same batches. A step that is always padded to the longest length is timed for fewer steps.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, get_args

from levers import ORDER, Levers, Name, Part, be, missing
from machine import machine

#: A step always padded alike needs fewer to be timed: one of so many.
_PADDED_SHARE = 4
_WORDS = {
    "buckets": "length buckets",
    "masks": "own dropout",
    "bf16": "bf16 autocast",
    "memory": "freed memory kept",
    "few": "few lengths",
    "flat": "flat weights, fused AdamW",
    "rows": "embedding rows in use",
}
_HEADSTART, _TWO, _FLOOR = "Headstart", "Headstart, a process a core", "floor: products alone"
_FLOOR_EACH = f"{_FLOOR}, a process a core"
_PADDED, _GROUPED = "Trainer, padded", "Trainer, by length"
_GROUPED_BF16 = "Trainer, by length, bf16"


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
    from headstart.execute.crew import cores

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add, names = parser.add_argument, list(get_args(Name))
    add("--subjects", type=lambda text: text.split(","), default=names, help=f"some of {','.join(names)}")
    add("--steps", type=int, default=46, help="steps timed, after 4 that are not")
    add("--rounds", type=int, default=2, help="each holds every participant once")
    add("--threads", type=int, default=cores(), help="of each process but those at once")
    add("--only", type=lambda text: text.split(","), default=[], help="words: participants that hold one")
    add("--json", type=Path, help="file for the numbers")
    add("--part", help=argparse.SUPPRESS)
    found = Options(**vars(parser.parse_args(arguments)))
    if not set(found.subjects) <= set(names):
        parser.error(f"--subjects {','.join(found.subjects)}: some of {', '.join(names)} expected")
    if min(found.steps, found.rounds, found.threads) < 1:
        parser.error("--steps, --rounds and --threads: counts of at least 1 expected")
    return found


def main(arguments: Sequence[str]) -> None:
    """Be one participant, or lead the rounds."""
    wanted = options(arguments)
    if wanted.part is not None:
        given = json.loads(wanted.part)
        print(json.dumps(be(Part(**{**given, "levers": Levers(**given["levers"])}))))
        return
    print("  ".join(f"{name}: {value}" for name, value in machine().items()))
    numbers = {name: lead(name, wanted) for name in wanted.subjects}
    if wanted.json is not None:
        wanted.json.write_text(json.dumps({"machine": machine(), **numbers}, indent=2), encoding="utf-8")


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
        _TWO: [replace(headstart, threads=1, waits=True)] * threads,
        _FLOOR: [floor],
        f"{_FLOOR}, fp32": [replace(floor, levers=Levers())],
        _FLOOR_EACH: [replace(floor, threads=1, waits=True)] * threads,
    }


def _trainers(base: Part) -> dict[str, list[Part]]:
    """`Trainer` as it comes, by length, and both with bf16=True."""
    trainer = replace(base, kind="trainer")
    grouped = Levers(buckets=True)
    return {
        _PADDED: [trainer],
        f"{_PADDED}, bf16": [replace(trainer, levers=Levers(bf16=True))],
        _GROUPED: [replace(trainer, levers=grouped)],
        _GROUPED_BF16: [replace(trainer, levers=replace(grouped, bf16=True))],
    }


def _has_bf16() -> bool:
    from headstart.engine.device import choose_device, choose_precision

    return choose_precision("auto", choose_device("cpu")) == "bf16"


def _fewer(part: Part) -> Part:
    """Fewer steps where all are alike."""
    if part.kind in ("headstart", "floor") or part.levers.buckets:
        return part
    return replace(part, steps=max(4, part.steps // _PADDED_SHARE))


# --- the rounds ---------------------------------------------------------------------------------------


def lead(subject: Name, wanted: Options) -> dict[str, Any]:
    """Time all participants of a subject, round after round, and print what was found."""
    why = missing(subject)
    if why is not None:
        print(f"\n{subject}: left out, {why}")
        return {}
    parts = participants(subject, wanted)
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(wanted.rounds):
        order = list(parts) if number % 2 == 0 else list(reversed(parts))
        rounds.append({name: _told(name, at_once(parts[name])) for name in order})
    print(f"\n{subject}: {wanted.steps} steps of 8 texts, {wanted.threads} threads, {wanted.rounds} rounds")
    print(table(rounds, list(parts)))
    print("\n".join(aims(rounds)))
    return {name: [one[name] for one in rounds] for name in parts}


def _told(name: str, found: dict[str, float]) -> dict[str, float]:
    print(f"  {name}: {found['ms']:.1f} ms", file=sys.stderr, flush=True)
    return found


def at_once(parts: Sequence[Part]) -> dict[str, float]:
    """Processes that begin together; milliseconds are those of a step of any, so divided by their number."""
    started = [_start(part) for part in parts]
    for process, part in zip(started, parts, strict=True):
        if part.waits:
            assert process.stdout is not None
            process.stdout.readline()
    found = []
    for process, part in zip(started, parts, strict=True):
        if part.waits:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
    for process in started:
        said, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"a participant ended with code {process.returncode}")
        found.append(json.loads(said.strip().splitlines()[-1]))
    mean = {key: sum(one[key] for one in found) / len(found) for key in found[0]}
    return {**mean, "ms": mean["ms"] / len(found)}


def _start(part: Part) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--part", json.dumps(asdict(part))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


# --- the report ---------------------------------------------------------------------------------------


Rounds = Sequence[dict[str, dict[str, float]]]


def table(rounds: Rounds, names: Sequence[str]) -> str:
    """A line for each participant: medians over the rounds."""
    head = f"{'':36}{'ms a step':>11}{'spread':>13}{'tokens':>8}{'x floor':>9}{'faults':>8}{'peak MiB':>10}"
    return "\n".join([head, *(_line(rounds, name) for name in names)])


def _line(rounds: Rounds, name: str) -> str:
    ms = [one[name]["ms"] for one in rounds]
    floor = ratio(rounds, name, _FLOOR)
    spread = f"{min(ms):.1f}-{max(ms):.1f}"
    tokens, faults, peak = (middle(rounds, name, key) for key in ("tokens", "faults", "peak"))
    against = "" if floor is None else f"{floor:.2f}"
    return f"{name:36}{median(ms):11.1f}{spread:>13}{tokens:8.0f}{against:>9}{faults:8.0f}{peak:10.0f}"


def middle(rounds: Rounds, name: str, key: str) -> float:
    """The median over the rounds."""
    return median(one[name][key] for one in rounds)


def ratio(rounds: Rounds, slower: str, faster: str) -> float | None:
    """How many times the one's step is the other's: the median of the rounds' own ratios."""
    if not {slower, faster} <= set(rounds[0]):
        return None
    return median(one[slower]["ms"] / one[faster]["ms"] for one in rounds)


def aims(rounds: Rounds) -> list[str]:
    """What Headstart's best way of training came to, against peers and floor, with the aim on books."""
    ways = [name for name in (_HEADSTART, _TWO) if name in rounds[0]]
    if not ways:
        return []
    best = min(ways, key=lambda name: middle(rounds, name, "ms"))
    lines = [f"{best}:"]
    for peer, aim in ((_PADDED, 7.0), (_GROUPED, 2.5), (_GROUPED_BF16, 1.7)):
        times = ratio(rounds, peer, best)
        lines += [] if times is None else [f"  {times:5.2f} times as fast as {peer} (aim on books: {aim})"]
    for way, under in ((_HEADSTART, _FLOOR), (_TWO, _FLOOR), (_TWO, _FLOOR_EACH)):
        above = ratio(rounds, way, under)
        lines += [] if above is None else [f"  {above:5.2f} times '{under}': {way} (aim on books: 1.7)"]
    if _PADDED in rounds[0] and _HEADSTART in rounds[0]:
        own, theirs = (middle(rounds, name, "peak") for name in (_HEADSTART, _PADDED))
        lines.append(f"  peak memory {own:.0f} MiB, Trainer's {theirs:.0f} (aim: no higher)")
    return lines


if __name__ == "__main__":
    main(sys.argv[1:])
