"""What one process of a benchmark is: a random model's steps on random texts of one length, marked and timed.

Headstart's own steps, the Trainer's, or the matrix products and the optimiser of a step alone. Nothing is
downloaded and nothing is learned; texts longer than a shape takes are the caller's to refuse.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

    from headstart.engine.member import Member, PackContext
    from headstart.engine.weights import Weights

Kind = Literal["one", "stack", "trainer", "products", "optimiser"]

#: Steps that fill caches and memory before any is timed.
WARM = 3
#: Batches of texts that a run goes through, and steps of the schedule that it never reaches the end of.
TEXT_BATCHES = 32


@dataclass(frozen=True)
class Shape:
    """The sizes of a random model; `family` is its model type."""

    family: Literal["bert", "roberta", "xlm-roberta"]
    layers: int
    width: int
    inner: int
    heads: int
    vocabulary: int
    longest: int

    def config(self) -> Any:
        """The library's configuration of it, with two labels and the family's own dropout of 0.1."""
        from transformers import AutoConfig

        before = 0 if self.family == "bert" else 2  # RoBERTas count from their padding id on
        return AutoConfig.for_model(
            self.family,
            num_hidden_layers=self.layers,
            hidden_size=self.width,
            intermediate_size=self.inner,
            num_attention_heads=self.heads,
            vocab_size=self.vocabulary,
            max_position_embeddings=self.longest + before,
            num_labels=2,
        )

    def model(self, seed: int, device: str = "cpu") -> Any:
        """A random classification model in training mode, drawn on the device."""
        import torch
        from transformers import AutoModelForSequenceClassification

        torch.manual_seed(seed)
        with torch.device(device):
            model = AutoModelForSequenceClassification.from_config(self.config(), dtype=torch.float32)
        return model.train()


SHAPES = {
    "tiny": Shape("bert", 2, 128, 512, 2, 30_522, 512),
    "minilm": Shape("bert", 6, 384, 1536, 12, 30_522, 512),
    "roberta-small": Shape("roberta", 4, 512, 512, 8, 32_000, 256),
    "bert-base": Shape("bert", 12, 768, 3072, 12, 30_522, 512),
    "xlm-roberta-base": Shape("xlm-roberta", 12, 768, 3072, 12, 250_002, 512),
}


@dataclass(frozen=True)
class Cell:
    """What one process measures: `members` runs of one shape, on texts of `length` tokens.

    With `waits` it says `ready` after its warm-up and times its steps once it reads a line: so that
    several begin at once. `captures` and `compiles` are what a study's execution section allows on a GPU.
    """

    kind: Kind
    shape: str
    length: int
    batch: int
    members: int
    steps: int
    threads: int
    precision: Literal["fp32", "bf16"]
    device: Literal["cpu", "cuda"]
    vocabulary: int | None = None
    waits: bool = False
    text_batches: int = TEXT_BATCHES
    captures: Literal["auto", "off"] = "auto"
    compiles: Literal["auto", "on", "off"] = "off"

    @property
    def sizes(self) -> Shape:
        """The shape, with the vocabulary that was asked for."""
        shape = SHAPES[self.shape]
        return replace(shape, vocabulary=self.vocabulary) if self.vocabulary else shape


# --- one participant ----------------------------------------------------------------------------------


def be(cell: Cell) -> dict[str, Any]:
    """Measure one cell in this process: marks around its steps in seconds, and the peak of its memory."""
    import torch

    from headstart.engine.memory import is_out_of_memory, keep_freed_memory, read_peak_bytes

    torch.set_num_threads(cell.threads)
    if cell.kind != "trainer":
        keep_freed_memory()
    measure = {"one": headstart_steps, "stack": headstart_steps, "trainer": trainer_steps}.get(
        cell.kind, floor
    )
    _load(cell)
    base = read_peak_bytes()
    try:
        marks = measure(cell)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return {"failed": "no memory"}
    return {"marks": marks, "base": base, "peak": _peak(cell)}


def _load(cell: Cell) -> None:
    """Everything that the cell imports, so that `base` counts it; products alone need none of it."""
    if cell.kind == "products":
        return
    from transformers import BertForSequenceClassification, RobertaForSequenceClassification  # noqa: F401

    import headstart.engine.train  # noqa: F401

    if cell.kind == "trainer":
        from transformers import Trainer  # noqa: F401


def _peak(cell: Cell) -> int:
    """Of the process; on a GPU, of what torch took of it."""
    import torch

    from headstart.engine.memory import read_peak_bytes

    return torch.cuda.max_memory_reserved() if cell.device == "cuda" else read_peak_bytes()


def now(cell: Cell) -> float:
    """Seconds on a clock that all processes share, once the device has done what it was told."""
    import torch

    if cell.device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def timed(steps: Iterator[object], cell: Cell) -> list[float]:
    """Warm up, wait for the others if need be, and mark the time before the first and after each step."""
    for _ in islice(steps, WARM):
        pass
    if cell.waits:
        print("ready", flush=True)
        sys.stdin.readline()
    marks = [now(cell)]
    for _ in islice(steps, cell.steps):
        marks.append(now(cell))  # noqa: PERF401 - a list comprehension would do, and would hide the clock
    return marks


def headstart_steps(cell: Cell) -> list[float]:
    """(a) and (b): Headstart's own steps, of a plain model or of a stack."""
    from headstart.engine.train import iter_training_steps

    context = setting_of(cell)
    return timed(iter_training_steps(members_of(cell), weights_of(cell, context), context), cell)


def token_ids(cell: Cell) -> Any:
    """Random texts of one length, [N, T], without special or padding ids."""
    import numpy as np

    draws = np.random.default_rng(0)
    return draws.integers(5, cell.sizes.vocabulary, (cell.text_batches * cell.batch, cell.length), np.int32)


def labels(cell: Cell) -> Any:
    """Random labels, [N]."""
    import numpy as np

    return np.random.default_rng(1).integers(0, 2, cell.text_batches * cell.batch)


def setting_of(cell: Cell) -> PackContext:
    """What the engine needs to know."""
    import numpy as np
    import torch

    from headstart.data.tokenise import Tokens
    from headstart.engine.member import PackContext, TokenisedExamples
    from headstart.tasks import load_task

    ids = token_ids(cell)
    texts = TokenisedExamples(
        Tokens(ids.ravel(), cell.length * np.arange(len(ids) + 1), None, 0), labels(cell)
    )
    return PackContext(
        task=load_task("classification"),
        outputs=2,
        pad_id=cell.sizes.config().pad_token_id,
        metric="accuracy",
        curves=(),
        parts={"train": texts, "valid": texts, "test": texts},
        device=torch.device(cell.device),
        precision=cell.precision,
        captures=cell.captures,
        compiles=cell.compiles,
    )


def members_of(cell: Cell) -> list[Member]:
    """R runs, each with its seed; their schedule is longer than what is timed."""
    import numpy as np

    from headstart.config.runs import Run
    from headstart.config.study import Training
    from headstart.engine.member import Member

    steps = 2 * (WARM + cell.steps)
    training = Training(batch_size=cell.batch, steps=steps, learning_rate=1e-4, precision=cell.precision)
    index = np.arange(cell.text_batches * cell.batch)
    return [
        Member(Run("arm", "all", seed, "full", cell.shape, False, training), index)
        for seed in range(cell.members)
    ]


def weights_of(cell: Cell, context: PackContext) -> Weights:
    """The runs' first weights, put together as Headstart puts them: a plain model for one, else a stack."""
    from headstart.engine.join_weights import join_weights
    from headstart.engine.kind import uses_device_engine

    models = (cell.sizes.model(seed).to(context.device) for seed in range(cell.members))
    weights = join_weights(models, cell.members if cell.kind == "stack" else 1)
    if context.precision == "bf16" and uses_device_engine(context.device):
        weights.keep_narrow_copy()
    return weights


# --- Trainer ------------------------------------------------------------------------------------------


def trainer_steps(cell: Cell) -> list[float]:
    """(d): the library's own loop on the same texts, with the same rate, betas, decay and clipping."""
    from transformers import TrainerCallback

    marks: list[float] = []

    class Marks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            marks.append(now(cell))

    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - no path
        stdout, sys.stdout = sys.stdout, nowhere  # it prints its logs; stdout is for the one line
        try:
            run_trainer(cell, Marks())
        finally:
            sys.stdout = stdout
    return marks[WARM - 1 :]


def run_trainer(cell: Cell, callback: Any, **more: Any) -> None:
    """Have a Trainer make the cell's steps, or fewer if the callback stops it; `more` are its arguments."""
    from transformers import Trainer, default_data_collator

    with tempfile.TemporaryDirectory() as out:
        Trainer(
            model=cell.sizes.model(0),
            args=_arguments(cell, out, **more),
            data_collator=default_data_collator,
            train_dataset=_rows(cell),
            callbacks=[callback],
        ).train()


def _rows(cell: Cell) -> list[dict[str, Any]]:
    return [
        {"input_ids": ids, "attention_mask": [1] * cell.length, "label": label}
        for ids, label in zip(token_ids(cell).tolist(), labels(cell).tolist(), strict=True)
    ]


def _arguments(cell: Cell, out: str, **more: Any) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=out,
        max_steps=WARM + cell.steps,
        per_device_train_batch_size=cell.batch,
        learning_rate=1e-4,
        warmup_steps=0.06,
        weight_decay=0.01,
        adam_beta2=0.98,
        adam_epsilon=1e-6,
        bf16=cell.precision == "bf16",
        use_cpu=cell.device == "cpu",
        dataloader_pin_memory=cell.device != "cpu",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        **more,
    )


# --- the floor ----------------------------------------------------------------------------------------


def floor(cell: Cell) -> list[float]:
    """The matrix products of R members' step, or one run's clipping and update."""
    make = product_steps(cell) if cell.kind == "products" else optimiser_steps(cell)
    return timed(_forever(make), cell)


def _forever(make: Callable[[], None]) -> Iterator[None]:
    while True:
        make()
        yield


def product_steps(cell: Cell) -> Callable[[], None]:
    """Forward and backward of every product of a step, each layer with weights of its own."""
    operands = [_operands(shape, cell) for shape in product_shapes(cell)]

    def make() -> None:
        for a, b, _ in operands:
            a @ b
        for a, b, gradient in reversed(operands):
            gradient @ b.mT
            a.mT @ gradient

    return make


def product_shapes(cell: Cell) -> list[tuple[int, int, int, int]]:
    """[K, N, I] times [K, I, O] as (K, N, I, O): of linear maps K is R, of attention rows and heads.

    The pooler's and the head's are left out: they see one token of each text.
    """
    shape, r, tokens = cell.sizes, cell.members, cell.batch * cell.length
    rows, each = r * cell.batch * shape.heads, shape.width // shape.heads
    square = (r, tokens, shape.width, shape.width)
    attention = [(rows, cell.length, each, cell.length), (rows, cell.length, cell.length, each)]
    inner = [(r, tokens, shape.width, shape.inner), (r, tokens, shape.inner, shape.width)]
    return [*[square] * 3, *attention, square, *inner] * shape.layers


def _operands(shape: tuple[int, int, int, int], cell: Cell) -> tuple[torch.Tensor, ...]:
    """Both factors and the product's gradient, in the step's number format; one set of them is no batch.

    Linear weights lie as their layers hold them, [O, I].
    """
    import torch

    many, rows, inner, outer = shape
    dtype = torch.bfloat16 if cell.precision == "bf16" else torch.float32
    sizes = ((many, rows, inner), (many, outer, inner), (many, rows, outer))
    a, b, gradient = (torch.randn(*size, device=cell.device).to(dtype) for size in sizes)
    operands = (a, b.mT, gradient)
    return tuple(t[0] for t in operands) if many == 1 else operands


def optimiser_steps(cell: Cell) -> Callable[[], None]:
    """Clipping, AdamW and zeroed gradients of as many numbers as one run has."""
    import torch

    from headstart.engine.optim.create import create_optimiser
    from headstart.engine.weights import Weights

    with torch.device("meta"):
        count = sum(p.numel() for p in cell.sizes.model(0).parameters())
    sizes = {"decays": count, "exempt": 1}
    parameters = {name: torch.nn.Parameter(torch.zeros(size)) for name, size in sizes.items()}
    weights = Weights(torch.nn.ParameterDict(parameters).to(cell.device), {"decays"})
    optimiser = create_optimiser(weights, [members_of(cell)[0].run.training])
    weights.grads.fill_(1e-3)

    def make() -> None:
        optimiser.step([1e-4], [1.0])
        weights.zero_gradients()

    return make
