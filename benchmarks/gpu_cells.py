"""What a process of the benchmark on a GPU measures: steps by Headstart's engine or a peer, block by block.

The device is waited for between blocks of steps and nowhere else, as in training. Leads nothing and prints
nothing: `gpu.py` says which jobs there are, one after the other, and what came out.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from cells import Cell, members_of, product_shapes, product_steps, run_trainer, setting_of
from lora import Part, count_targets, make_adapter_steps, run_peft_trainer
from lora import Shape as Bloom

if TYPE_CHECKING:
    from headstart.engine.member import PackContext
    from headstart.engine.weights import Weights

Participant = Literal[
    "Trainer", "Trainer, compiled", "eager", "captured", "compiled", "products", "PEFT in Trainer"
]
#: BLOOM-560m and a tiny one, with the texts of a step; the instruction task.
BLOOMS = {
    "bloom-560m": Bloom(24, 1024, 4, 256, vocabulary=250_880),
    "tiny-bloom": Bloom(1, 64, 2, 8, vocabulary=64),
}
#: Steps made first: kernels are made, graphs captured, memory laid out. Then some that tell how long one is.
WARM, PROBE = 6, 3
#: A block is as long as this, or of the most steps: so that waiting at its end weighs little.
BLOCK_SECONDS, MOST_IN_BLOCK, LEAST_BLOCKS = 0.25, 20, 3
#: Weights, gradients and both moments, in 32 bits: what every weight needs before a step is made.
BYTES_A_WEIGHT = 16


@dataclass(frozen=True)
class Job:
    """One measurement: a participant, a subject (a shape of `cells.py`, or a BLOOM), and R `members`.

    `steps` and `seconds` are after which nothing more is timed.
    """

    participant: Participant
    subject: str
    members: int
    length: int
    batch: int
    vocabulary: int | None
    device: Literal["cpu", "cuda"]
    steps: int
    seconds: float

    @property
    def is_lora(self) -> bool:
        """Whether adapters train beside a frozen base."""
        return self.subject in BLOOMS

    @property
    def compiles(self) -> bool:
        """Whether torch compiles something for it, which takes its time."""
        return self.participant.endswith("compiled")

    @cached_property
    def cell(self) -> Cell:
        """As the other benchmarks have it; with so many texts that no step timed is an epoch's last."""
        most = WARM + PROBE + self.steps + MOST_IN_BLOCK
        return Cell(
            kind="stack" if self.members > 1 else "one",
            shape=self.subject,
            length=self.length,
            batch=self.batch,
            members=self.members,
            steps=most,
            threads=1,
            precision="bf16",
            device=self.device,
            vocabulary=self.vocabulary,
            text_batches=most + WARM,
            captures="off" if self.participant == "eager" else "auto",
            compiles="on" if self.participant == "compiled" else "off",
        )

    @cached_property
    def part(self) -> Part:
        """The same of adapters."""
        return Part(
            kind="trainer" if self.participant == "PEFT in Trainer" else "headstart",
            shape=self.subject,
            steps=self.cell.steps,
            threads=1,
            adapters=self.members,
            device=self.device,
            captures=self.cell.captures,
            compiles=self.cell.compiles,
        )


@dataclass(frozen=True)
class Outcome:
    """Milliseconds of a run-step: the median over blocks, the least and the greatest.

    `first_seconds` passed until the steps of warming up were done, capturing and compiling among them;
    `reserved` bytes are the most that torch took of the GPU; `how` is what is to be known of the steps.
    """

    ms: float
    least: float
    greatest: float
    steps: int
    block: int
    first_seconds: float
    reserved: int
    how: str


# --- the clock ----------------------------------------------------------------------------------------


class TooLargeError(Exception):
    """A job that was not tried."""


class BlockClock:
    """Times a loop's steps in blocks, and waits for the device where one ends."""

    def __init__(self, job: Job, read_time: Callable[[], float] = time.perf_counter) -> None:
        self._job, self._read_time = job, read_time
        #: Seconds a step of each block; steps of a block, and those since the last one ended.
        self.blocks: list[float] = []
        self.size, self._made, self._ended = WARM, 0, 0
        self.first_seconds = 0.0
        self.start()

    def start(self) -> None:
        """Begin here: what was built before is not counted."""
        self._mark = self._began = self._read_time()

    @property
    def is_done(self) -> bool:
        """Whether enough is timed."""
        made = len(self.blocks) * self.size
        spent = sum(self.blocks) * self.size
        return len(self.blocks) >= LEAST_BLOCKS and (made >= self._job.steps or spent >= self._job.seconds)

    def tick(self) -> bool:
        """Count a step that the host has begun; whether to go on."""
        self._made += 1
        if self._made == self.size:
            self._end_block()
        return not self.is_done

    def _end_block(self) -> None:
        wait_for_device(self._job.device)
        now = self._read_time()
        span, self._mark = (now - self._mark) / self.size, now
        self._ended, self._made = self._ended + 1, 0
        if self._ended == 1:
            self.first_seconds, self.size = now - self._began, PROBE
        elif self._ended == 2:
            longest = min(MOST_IN_BLOCK, self._job.steps // LEAST_BLOCKS)
            self.size = max(1, min(longest, int(BLOCK_SECONDS / span)))
        else:
            self.blocks.append(span)


def wait_for_device(device: str) -> None:
    """Return once a GPU has done all that it was told."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


# --- one job ------------------------------------------------------------------------------------------


def measure(job: Job) -> Outcome:
    """Measure one job in this process, and leave as little of it as can be.

    Raises:
        TooLargeError: memory cannot hold it, which is known before anything is built.
    """
    _clean_up(job)
    _refuse_what_cannot_fit(job)
    clock = BlockClock(job)
    with _force_engine(job):
        how = _find_measure(job)(job, clock)
    ms = [1e3 * span / job.members for span in clock.blocks]
    made = len(ms) * clock.size
    outcome = Outcome(
        median(ms), min(ms), max(ms), made, clock.size, clock.first_seconds, _read_reserved(job), how
    )
    _clean_up(job)
    return outcome


def _find_measure(job: Job) -> Callable[[Job, BlockClock], str]:
    """What makes the job's steps, ticking the clock at each, and says how they were made."""
    if job.participant == "products":
        return measure_products
    if job.participant == "PEFT in Trainer":
        return measure_peft
    return measure_trainer if job.participant.startswith("Trainer") else measure_headstart


def _force_engine(job: Job) -> AbstractContextManager[object]:
    """On a CPU the device's engine, which it would not choose."""
    from headstart.engine.kind import force_device_engine

    return force_device_engine() if job.device == "cpu" else nullcontext()


def _clean_up(job: Job) -> None:
    """Free what the job before left, so that one process may measure several."""
    import torch

    gc.collect()
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()
    if job.device == "cuda":
        # cuBLAS keeps memory for each stream that it has been on.
        getattr(torch._C, "_cuda_clearCublasWorkspaces", lambda: None)()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _read_reserved(job: Job) -> int:
    import torch

    from headstart.engine.memory import read_peak_bytes

    return int(torch.cuda.max_memory_reserved()) if job.device == "cuda" else read_peak_bytes()


def _refuse_what_cannot_fit(job: Job) -> None:
    """Nobody waits for what memory cannot hold: weights, gradients and moments alone are too much for it."""
    import torch

    if job.device == "cpu" or job.is_lora or job.participant == "products":
        return
    with torch.device("meta"):
        weights = sum(p.numel() for p in job.cell.sizes.model(0, "meta").parameters())
    needed, (free, _) = BYTES_A_WEIGHT * weights * job.members, torch.cuda.mem_get_info()
    if needed > free:
        raise TooLargeError(
            f"no memory: weights, gradients and moments are {needed / 2**30:.0f} GiB, "
            f"{free / 2**30:.0f} are free"
        )


def measure_headstart(job: Job, clock: BlockClock) -> str:
    """The engine's own steps, read as seldom as in training."""
    import torch

    from headstart.engine.step_ring import choose_read_interval
    from headstart.engine.train import iter_training_steps

    read_every = choose_read_interval(torch.device("cuda"))
    steps: Any  # a generator: its stream and its graphs end with it
    if job.is_lora:
        steps = make_adapter_steps(job.part, BLOOMS[job.subject], read_every)
    else:
        context = setting_of(job.cell)
        weights = build_weights(job.cell, context)
        steps = iter_training_steps(members_of(job.cell), weights, context, read_every=read_every)
    clock.start()
    with contextlib.closing(steps):
        notes = next(steps)
        while clock.tick():
            notes = next(steps)
    return _describe_steps(job, asdict(notes))


def _describe_steps(job: Job, notes: dict[str, Any]) -> str:
    """What the participant's name promises and the steps were not, and why."""
    missing = [
        word
        for word, is_wanted in (("captured", job.cell.captures == "auto"), ("compiled", job.compiles))
        if is_wanted and not notes[word]
    ]
    if not missing:
        return ""
    return f"not {' nor '.join(missing)}: {notes['eager_reason'] or 'no GPU'}"


def build_weights(cell: Cell, context: PackContext) -> Weights:
    """The runs' first weights; the second model is changed for each further run, for 64 would take long."""
    from headstart.engine.join_weights import join_weights

    weights = join_weights(_iter_models(cell), cell.members)
    if context.precision == "bf16":  # as a study on a GPU has it
        weights.keep_narrow_copy()
    return weights


def _iter_models(cell: Cell) -> Iterator[Any]:
    import torch

    yield cell.sizes.model(0, cell.device)
    if cell.members == 1:
        return
    other = cell.sizes.model(1, cell.device)
    for _ in range(1, cell.members):
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=1e-3)
        yield other


def measure_trainer(job: Job, clock: BlockClock) -> str:
    """Trainer's own loop; compiled as its users have it compile."""
    with contextlib.redirect_stdout(sys.stderr):
        run_trainer(job.cell, _make_callback(clock), torch_compile=job.compiles)
    return ""


def measure_peft(job: Job, clock: BlockClock) -> str:
    """One adapter of PEFT, over a base in bf16 on a GPU."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        run_peft_trainer(job.part, BLOOMS[job.subject], folder, _make_callback(clock))
    return ""


def _make_callback(clock: BlockClock) -> Any:
    from transformers import TrainerCallback

    class Ticks(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.start()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop = not clock.tick()

    return Ticks()


def measure_products(job: Job, clock: BlockClock) -> str:
    """The matrix products of the same step and nothing else, on a GPU as one CUDA graph."""
    make = product_steps(job.cell)
    if job.device == "cuda":
        make = _capture(make)
    clock.start()
    make()
    while clock.tick():
        make()
    return ""


def _capture(make: Callable[[], None]) -> Callable[[], None]:
    """What replays it; first it runs once as it is, on another stream, as capturing wants it."""
    import torch

    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        make()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        make()
    replay: Callable[[], None] = graph.replay
    return replay


# --- what a step has to compute -----------------------------------------------------------------------


def count_flops(job: Job) -> float:
    """Operations that a run-step cannot do without: 6 x weights in products x tokens, and attention.

    A product of N rows, I and O wide takes 2 N I O forward and twice that backward: 6 a weight and token.
    Attention multiplies each head's queries by keys and weights by values, 12 layers x batch x T^2 x width in
    all. Pooler and classifier, which see one token of a text, are left out, and so are masks and norms.

    Of LoRA the base's weights are frozen and take no gradient: 4 a weight and token, and 6 of the adapters'.
    The head is counted at the tokens that carry loss.
    """
    if job.is_lora:
        return _count_lora_flops(BLOOMS[job.subject])
    of_all = sum(6.0 * many * rows * inner * outer for many, rows, inner, outer in product_shapes(job.cell))
    return of_all / job.members


def _count_lora_flops(shape: Bloom) -> float:
    tokens, rank = shape.batch * shape.tokens, 16
    base, adapter = 12 * shape.width**2, rank * 4 * shape.width
    attention = 12.0 * shape.batch * shape.tokens**2 * shape.width
    head = 4.0 * shape.batch * count_targets(shape) * shape.width * shape.vocabulary
    return shape.layers * ((4.0 * base + 6.0 * adapter) * tokens + attention) + head
