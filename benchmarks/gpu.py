"""Measures training steps and a whole study on one GPU: Headstart eager, captured, compiled, beside Trainer.

    python benchmarks/gpu.py --json gpu.json

Models and texts are random: nothing is downloaded, and no accuracy is claimed. What matters most comes
first; what `--budget` has no time for is skipped, and what fails is a row that says why. `--device cpu` sends
a tiny version through the same engine where there is no GPU: it proves the script, its times mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from cells import SHAPES
from gpu_cells import BLOOMS, Job, Outcome, Participant, TooLargeError, measure
from gpu_report import GIB, SKIPPED, Findings, Row, StudyPart, StudyTime, Work, name_work, render
from gpu_study import FULL, TINY, StudySize, write_study
from machine import machine

#: Seconds that must be left for work to be begun, and after which it is ended.
LEAST_SECONDS = {"step": 6, "compile": 45, "study": 30}
MOST_SECONDS = {"step": 60, "compile": 150, "study": 150}
# --- the command line ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """What is measured, and how long it may take."""

    device: Literal["cuda", "cpu"]
    shapes: list[str]
    lengths: list[int]
    members: list[int]
    adapters: list[int]
    batch: int
    vocabulary: int
    steps: int
    seconds: float
    budget: float
    quick: bool
    only: list[str]
    json: Path | None
    worker: bool

    @property
    def bloom(self) -> str:
        """The causal model."""
        return "bloom-560m" if self.device == "cuda" else "tiny-bloom"

    @property
    def study(self) -> StudySize:
        """The study that is run from its start to its end."""
        return FULL if self.device == "cuda" else TINY


#: What is not asked for, on a GPU and in the version that proves the script.
DEFAULTS: dict[str, dict[str, Any]] = {
    "cuda": {
        "shapes": ["roberta-small", "minilm", "bert-base"],
        "lengths": [128, 256, 32],
        "members": [1, 6, 32, 64],
        "adapters": [1, 4, 16],
        "batch": 8,
        "vocabulary": 9_000,
        "steps": 100,
        "seconds": 1.5,
    },
    "cpu": {
        "shapes": ["tiny"],
        "lengths": [8],
        "members": [1, 2],
        "adapters": [1, 2],
        "batch": 2,
        "vocabulary": 200,
        "steps": 6,
        "seconds": 0.1,
    },
}
BUDGET, QUICK_BUDGET = 340.0, 90.0
#: Of `rank_job`: the first shape and length, with a small pack compiled.
QUICK_RANKS = {0, 1, 3}


def parse_options(arguments: Sequence[str]) -> Options:
    """The command line, checked."""
    parser = _make_parser()
    given = {key: value for key, value in vars(parser.parse_args(arguments)).items() if value is not None}
    budget = QUICK_BUDGET if given["quick"] else BUDGET
    parsed = Options(**({"json": None, "only": [], "budget": budget} | DEFAULTS[given["device"]] | given))
    for name in parsed.shapes:
        if name not in SHAPES:
            parser.error(f"--shapes {name}: some of {', '.join(SHAPES)} expected")
        if max(parsed.lengths) > SHAPES[name].longest:
            parser.error(
                f"--lengths {max(parsed.lengths)}: {name} takes {SHAPES[name].longest} tokens at most"
            )
    counts = (*parsed.lengths, *parsed.members, *parsed.adapters, parsed.batch, parsed.steps)
    if min(counts) < 1:
        parser.error(f"{min(counts)}: a count of at least 1 expected")
    return parsed


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add, usual = parser.add_argument, DEFAULTS["cuda"]
    add("--budget", type=float, help=f"seconds in all; {BUDGET:.0f} by default")
    add("--quick", action="store_true", help=f"the first shape and length, no study; {QUICK_BUDGET:.0f} s")
    add("--only", type=_split_words, help="words: what has one in its name, such as 'study' or 'R=6'")
    add("--json", type=Path, help="file for the numbers, written after each")
    add("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: a tiny version, to prove the script")
    add("--shapes", type=_split_words, help=f"the most important first; {','.join(usual['shapes'])}")
    add("--lengths", type=_split_counts, help="tokens of a text, likewise; 128,256,32 by default")
    add("--members", type=_split_counts, help="runs at once; 1,6,32,64 by default")
    add("--adapters", type=_split_counts, help="adapters at once; 1,4,16 by default")
    add("--batch", type=int, help=f"texts of a run's step; {usual['batch']} by default")
    add("--vocabulary", type=int, help=f"embedding rows, as if compacted; {usual['vocabulary']} by default")
    add("--steps", type=int, help=f"most steps timed of each; {usual['steps']} by default")
    add("--seconds", type=float, help=f"after which none is begun; {usual['seconds']} by default")
    add("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser


def _split_words(text: str) -> list[str]:
    return text.split(",")


def _split_counts(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main(arguments: Sequence[str]) -> None:
    """Be a worker, or lead."""
    wanted = parse_options(arguments)
    if wanted.worker:
        work_off(wanted)
        return
    check_device(wanted)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all that was started ends too
    lead(wanted)


def check_device(wanted: Options) -> None:
    """Say kindly what is missing."""
    from headstart import cuda

    if wanted.device == "cuda" and not cuda.count_gpus():
        raise SystemExit(
            "This benchmark times steps on a GPU, and torch sees no CUDA device here.\n"
            "Run it where there is one, with a build of torch for it; or with --device cpu, which sends a\n"
            "tiny version through the same engine on the CPU: it shows that all works, and times nothing."
        )


# --- what is done, and in which order -----------------------------------------------------------------


def plan_work(wanted: Options) -> list[Work]:
    """All that is to be done, what matters most first."""
    parts: tuple[StudyPart, ...] = ("study by headstart", "study by Trainer")
    every: list[tuple[int, Work]] = [(2, part) for part in parts]
    every += [(rank_job(job, wanted), job) for job in iter_jobs(wanted)]
    if wanted.quick:
        every = [(rank, work) for rank, work in every if rank in QUICK_RANKS]
    if wanted.only:
        every = [(r, work) for r, work in every if any(word in name_work(work) for word in wanted.only)]
    elif wanted.device == "cpu":  # where compiling takes minutes
        every = [(r, work) for r, work in every if not (isinstance(work, Job) and work.compiles)]
    return [work for _, work in sorted(every, key=lambda each: each[0])]


def iter_jobs(wanted: Options) -> Iterator[Job]:
    """Every participant of every subject."""

    def make(participant: Participant, subject: str, members: int, length: int, batch: int) -> Job:
        rows = None if subject in BLOOMS else wanted.vocabulary
        return Job(
            participant, subject, members, length, batch, rows, wanted.device, wanted.steps, wanted.seconds
        )

    packs: tuple[Participant, ...] = ("captured", "products", "eager", "compiled")
    for subject in wanted.shapes:
        for length in wanted.lengths:
            yield make("Trainer", subject, 1, length, wanted.batch)
            for each in packs:
                yield from (make(each, subject, r, length, wanted.batch) for r in wanted.members)
            yield make("Trainer, compiled", subject, 1, length, wanted.batch)
    bloom = BLOOMS[wanted.bloom]
    yield make("PEFT in Trainer", wanted.bloom, 1, bloom.tokens, bloom.batch)
    adapted: tuple[Participant, ...] = ("captured", "eager", "compiled")
    for each in adapted:
        yield from (make(each, wanted.bloom, r, bloom.tokens, bloom.batch) for r in wanted.adapters)


def rank_job(job: Job, wanted: Options) -> int:
    """How soon a job's turn comes; the study's is 2.

    First the first shape and length, then its small packs compiled, adapters, the other shapes and lengths as
    they are captured; last what is eager or compiled of those.
    """
    is_plain = job.participant in ("Trainer", "captured", "products", "PEFT in Trainer")
    if job.is_lora:
        return 5 if is_plain else 11
    is_first_shape, is_first_length = job.subject == wanted.shapes[0], job.length == wanted.lengths[0]
    if not (is_first_shape and is_first_length):
        return (6 if is_first_length else 7 if is_first_shape else 10) if is_plain else 12 + job.compiles
    if is_plain:
        return 0
    if job.participant == "eager":
        return 1 if job.members in wanted.members[:2] else 9
    if job.participant == "Trainer, compiled":
        return 4
    return 3 if job.members == wanted.members[:2][-1] else 8


# --- doing it -----------------------------------------------------------------------------------------


class Budget:
    """The seconds that are left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Of all of them."""
        return self._end - time.monotonic()


def lead(wanted: Options) -> None:
    """Do all that there is time for, and print what came out."""
    budget = Budget(wanted.budget)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gpu-benchmark-")))
        worker = stack.enter_context(Worker(scratch, wanted.device))
        findings = Findings(describe_machine(wanted), list_settings(wanted), wanted.study)
        print(" | ".join(f"{key}: {value}" for key, value in findings.machine.items()), flush=True)
        stack.callback(lambda: print(render(findings), flush=True))  # whatever ends it
        planned = plan_work(wanted)
        if any(not isinstance(work, Job) for work in planned):
            write_study(wanted.study, scratch / "study")  # while the worker loads what it needs
        for work in planned:
            do_work(work, wanted, findings, worker, budget, scratch)
            if wanted.json is not None:
                findings.write(wanted.json)


def list_settings(wanted: Options) -> dict[str, Any]:
    """The options that numbers depend on."""
    return {key: value for key, value in asdict(wanted).items() if key not in ("json", "worker")}


def do_work(
    work: Work, wanted: Options, findings: Findings, worker: Worker, budget: Budget, scratch: Path
) -> None:
    """One job or one participant's study; what came out, and a line for who waits."""
    kind = "study" if not isinstance(work, Job) else "compile" if work.compiles else "step"
    seconds = min(MOST_SECONDS[kind], budget.left)
    problem = SKIPPED if seconds < LEAST_SECONDS[kind] else ""
    result: Row | StudyTime
    if isinstance(work, Job):
        problem = problem or find_hopeless(work, findings.rows)
        result = Row(work, problem=problem) if problem else worker.ask(work, seconds)
        findings.rows.append(result)
    else:
        worker.stop()  # a study has the GPU for itself
        result = StudyTime(problem=problem) if problem else time_study(work, wanted.study, seconds, scratch)
        findings.studies[work] = result
    print(f"{budget.left:4.0f} s left; {name_work(work)}: {result}", file=sys.stderr, flush=True)


def find_hopeless(job: Job, rows: Sequence[Row]) -> str:
    """Why a job need not be tried: fewer members were too many for memory."""
    for row in rows:
        is_like = replace(row.job, members=job.members) == job
        is_about_memory = any(words in row.problem for words in ("no memory", "out of memory"))
        if is_like and row.job.members <= job.members and is_about_memory:
            return f"no memory: there was none for R={row.job.members}"
    return ""


class Worker:
    """A process that measures one job after the other; a fresh one where it died or is spoilt."""

    def __init__(self, scratch: Path, device: str) -> None:
        self._log, self._device = scratch / "worker.log", device
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin a process, which loads what it needs while nobody waits for it."""
        with self._log.open("w", encoding="utf-8") as log:
            self._process = start_process(
                [sys.executable, __file__, "--worker", "--device", self._device], log
            )
        self._lines = queue.Queue()
        threading.Thread(target=_pass_on, args=(self._process.stdout, self._lines), daemon=True).start()

    def stop(self) -> None:
        """End the process and what it started."""
        if self._process is not None:
            end_process(self._process)
            self._process = None

    def ask(self, job: Job, seconds: float) -> Row:
        """What came out of a job, or why nothing did."""
        if self._process is None:
            self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it died meanwhile: its log says why
            self._process.stdin.write(json.dumps(asdict(job)) + "\n")
            self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            return Row(job, problem=f"ended after {seconds:.0f} s")
        if line is None:
            code = self._process.wait()
            self.stop()
            return Row(job, problem=f"killed by signal {-code}" if code < 0 else read_reason(self._log))
        if job.participant == "Trainer, compiled":
            self.stop()  # it sets what the process compiles from then on
        values = json.loads(line)
        return Row(job, **values) if "problem" in values else Row(job, Outcome(**values))


def _pass_on(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def start_process(command: list[str], log: IO[str], **more: str) -> subprocess.Popen[str]:
    """A process with a group of its own, so that what it starts ends with it; one GPU, and no network."""
    env = {"CUDA_VISIBLE_DEVICES": "0", **os.environ, "HF_HUB_OFFLINE": "1", **more}
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )


def end_process(process: subprocess.Popen[str]) -> None:
    """Kill it and all that it started, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_reason(log: Path) -> str:
    """The last line of a log that names an error, cut short."""
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)]
    return ([*lines[-1:], *errors[-1:]] or ["it ended without a word"])[-1][:200]


def work_off(wanted: Options) -> None:
    """Measure what comes on stdin, job by job; an error ends the process, and the next job gets another."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what libraries print is no answer
        import torch
        import transformers

        import headstart.engine.train  # noqa: F401 - loads much, before a job's time counts

        transformers.utils.logging.set_verbosity_error()
        if wanted.device == "cpu":
            torch.set_num_threads(1)
        for line in sys.stdin:
            try:
                answer = asdict(measure(Job(**json.loads(line))))
            except TooLargeError as error:
                answer = {"problem": str(error)}
            print(json.dumps(answer), file=answers, flush=True)


# --- the study ----------------------------------------------------------------------------------------


def time_study(part: StudyPart, size: StudySize, seconds: float, scratch: Path) -> StudyTime:
    """One participant's whole study, imports and saving included; of Trainer one run is made."""
    folder = scratch / "study"
    by_headstart = part == "study by headstart"
    script = [str(Path(__file__).with_name("gpu_study.py")), "trainer", str(folder)]
    command = ["-m", "headstart", "run", str(folder / "study.yaml")] if by_headstart else script
    log = scratch / "study.log"
    with log.open("w", encoding="utf-8") as errors:
        started = time.monotonic()
        process = start_process([sys.executable, *command], errors, HEADSTART_CACHE=str(scratch / "cache"))
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return StudyTime(problem=f"ended after {seconds:.0f} s")
        finally:
            end_process(process)
    taken = time.monotonic() - started
    if process.returncode:
        with log.open("a", encoding="utf-8") as errors:
            errors.write(said)
        return StudyTime(problem=read_reason(log))
    return read_study(folder, taken, size) if by_headstart else read_script(said, taken, size)


def read_study(folder: Path, taken: float, size: StudySize) -> StudyTime:
    """What Headstart's study left, if all of its runs are done."""
    files = sorted(folder.glob("out/runs/*/*/*/record.json"))
    records = [json.loads(file.read_text("utf-8")) for file in files]
    done = [record for record in records if record["status"] == "done"]
    if len(done) != size.runs:
        reasons = [record["error"] for record in records if record["status"] != "done"]
        return StudyTime(problem=f"{len(done)} of {size.runs} runs done; {reasons[:1]}"[:200])
    accuracy = sum(record["test"]["accuracy"] for record in done) / len(done)
    how = done[0]["execution"]
    note = f"{len(done)} runs made, {how['pack_size']} as one, {how['precision']} on {how['device']}"
    note += "".join(f", {word}" for word in ("captured", "compiled") if how.get(word))
    note += f", {how['eager_reason']}" if how.get("eager_reason") else ""
    return StudyTime(taken, accuracy, note)


def read_script(said: str, taken: float, size: StudySize) -> StudyTime:
    """What the script's one run says of all: the process without it, and as many of it as the study has."""
    facts = json.loads(said.splitlines()[-1])
    before = taken - facts["run"]
    note = f"from one run of {facts['run']:.1f} s, times {size.runs}, and {before:.1f} s once"
    return StudyTime(before + size.runs * facts["run"], facts["accuracy"], note)


# --- the machine --------------------------------------------------------------------------------------


def describe_machine(wanted: Options) -> dict[str, str]:
    """What the numbers depend on besides the code."""
    from headstart import cuda
    from headstart.store.provenance import describe_processor

    gpus = cuda.list_gpus() if wanted.device == "cuda" else ()
    device = {
        "GPU": f"{gpus[0].name}, {gpus[0].total_bytes / GIB:.0f} GiB"
        if gpus
        else "none: the CPU stands for it",
        "driver": read_driver() if gpus else "none",
        "processor": describe_processor(),
    }
    return {**device, **machine("triton", "peft")}


def read_driver() -> str:
    """The driver's version, as its own tool says it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return done.stdout.splitlines()[0].strip()
    return "unknown"


if __name__ == "__main__":
    main(sys.argv[1:])
