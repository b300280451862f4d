"""What one process of `cpu.py` is: steps of one subject with some of the levers, timed and counted.

Every participant starts from the same weights and learns from the same texts. Nothing is downloaded but
the two small assets of the embedded demonstration. Refuses to time fewer steps than it was asked for.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

import numpy as np

if TYPE_CHECKING:
    import torch

    from headstart.data.batches import Batch
    from headstart.engine.member import Member, PackContext
    from headstart.engine.weights import Weights

SHARED = Path(__file__).resolve().parents[2] / "shared"
#: Steps that fill caches and memory before any is timed.
WARM = 4
BATCH, RATE = 8, 1e-4
#: Epochs, and steps, of a timed run: more than anybody times.
_EPOCHS, _STEPS = 1000, 100_000
Name = Literal["books", "rotten", "bert-base"]


@dataclass(frozen=True)
class Levers:
    """What a step has of Headstart; without any it is that of the usual script.

    `buckets`: batches of like lengths, else all padded to the longest that is allowed. `few`: few lengths of
    batches. `masks`: own dropout. `bf16`: autocast. `memory`: freed memory kept. `flat`: weights and
    gradients in one buffer, clipped and updated by the fused optimiser. `rows`: only embedding rows in use.
    """

    buckets: bool = False
    masks: bool = False
    bf16: bool = False
    memory: bool = False
    few: bool = False
    flat: bool = False
    rows: bool = False


#: In the order in which the ladder adds them.
ORDER = ("buckets", "masks", "bf16", "memory", "few", "flat", "rows")


@dataclass(frozen=True)
class Part:
    """What one process is: `kind` with `levers` where it is a loop of our own, on `threads` threads.

    With `waits` it says `ready` after its warm-up and goes on once it reads a line.
    """

    kind: Literal["loop", "headstart", "trainer", "floor"]
    subject: Name
    steps: int
    threads: int
    levers: Levers = Levers()
    waits: bool = False


@dataclass(frozen=True)
class Subject:
    """A model and its texts: `model` gives the same fresh weights at each call; `most` tokens are allowed.

    `weights` gives them as a study trains them: in one buffer, of embeddings the rows in use.
    """

    model: Callable[[], Any]
    weights: Callable[[], Weights]
    member: Member
    setting: PackContext
    most: int


@dataclass
class Seen:
    """What each step so far has read: `padded` tokens are computed with, `texts` are the texts' own."""

    padded: list[int]
    texts: list[int]

    def add(self, padded: int, texts: int) -> None:
        """One more step."""
        self.padded.append(padded)
        self.texts.append(texts)

    def means(self, steps: int) -> dict[str, float]:
        """Those of the steps timed."""
        timed = slice(WARM, WARM + steps)
        return {"tokens": float(np.mean(self.padded[timed])), "texts": float(np.mean(self.texts[timed]))}


# --- subjects -----------------------------------------------------------------------------------------


def missing(name: Name) -> str | None:
    """What the subject needs and this machine lacks, or None; assets are fetched here, once for all."""
    from headstart.data.assets import fetch_data, fetch_model
    from headstart.errors import AssetError

    books = (SHARED / "data" / "books_fr", SHARED / "models" / "roberta-small-fr")
    if name == "books" and not all(folder.is_dir() for folder in books):
        return f"needs {books[0]} and {books[1]}"
    if name == "rotten":
        try:
            fetch_model("minilm")
            next(fetch_data("rotten-tomatoes"))
        except AssetError as error:
            return str(error)
    return None


def subject(name: Name) -> Subject:
    """The subject `name`."""
    return _random_base() if name == "bert-base" else run_of(name, epochs=_EPOCHS)


def run_of(name: Name, *, seed: int = 0, texts: int | None = None, epochs: int = 3) -> Subject:
    """The pretrained run of one seed, as a study of `texts` texts (all by default) would train it."""
    import headstart
    from headstart.config.runs import expand_runs
    from headstart.models.initialise import initialise_model
    from headstart.training.build import build_weights, make_context, make_members
    from headstart.training.prepare import prepare_study

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(_study(name, seed, texts, epochs), encoding="utf-8")
        study = headstart.load_study(path)
    run = next(run for run in expand_runs(study) if run.arm == "pretrained")
    prepared = prepare_study(study, [run]).select(run)
    checkpoint, context = prepared.checkpoint, make_context(prepared)
    return Subject(
        model=lambda: initialise_model(checkpoint, pretrained=True, seed=run.seed).float().train(),
        weights=lambda: build_weights([prepared], context),
        member=make_members([prepared])[0],
        setting=context,
        most=run.training.max_length or 0,
    )


def _study(name: Name, seed: int, texts: int | None, epochs: int) -> str:
    books = SHARED / "data" / "books_fr"
    parts = ", ".join(f"{part}: {books / part}.jsonl" for part in ("train", "valid", "test"))
    data = f"{{{parts}}}" if name == "books" else "{asset: rotten-tomatoes}"
    model = SHARED / "models" / "roberta-small-fr" if name == "books" else "asset:minilm"
    length = 256 if name == "books" else 128
    training = f"batch_size: {BATCH}, epochs: {epochs}, learning_rate: {RATE}, max_length: {length}"
    return "\n".join(
        [
            "question: Which levers make a step fast?",
            f"data: {data}",
            f"model: {model}",
            "arms: {pretrained: {init: pretrained}, random: {init: random}}",
            f"seeds: [{seed}]",
            f"sizes: [{texts or 'all'}]",
            f"training: {{{training}}}",
            "device: cpu",
        ]
    )


def _random_base() -> Subject:
    """A random BERT-base on random texts of 128 tokens."""
    from cells import Cell, members_of, setting_of
    from headstart.device import choose_precision
    from headstart.engine.optim.decay import find_decaying_parameters
    from headstart.engine.weights import Weights

    cell = Cell("one", "bert-base", 128, BATCH, 1, _STEPS, 1, "bf16", "cpu")
    context = setting_of(cell)
    context = replace(context, precision=choose_precision("auto", context.device))

    def weights() -> Weights:
        model = cell.sizes.model(0)
        use_rows_in_use(model, context)
        return Weights(model, find_decaying_parameters(model))

    return Subject(lambda: cell.sizes.model(0), weights, members_of(cell)[0], context, 128)


def batches(chosen: Subject, *, bucketed: bool) -> Iterator[np.ndarray]:
    """The texts of each step: as a run visits them, or any texts together, epoch after epoch."""
    from headstart.engine.member import iter_step_batches

    indices = (index for turn in iter_step_batches(chosen.member, chosen.setting) for index in turn.batches)
    if bucketed:
        yield from indices
        return
    shuffled = np.random.default_rng(0).permutation(chosen.member.index)
    while True:
        yield from np.split(shuffled, range(BATCH, len(shuffled), BATCH))


# --- timing -------------------------------------------------------------------------------------------


def be(part: Part) -> dict[str, float]:
    """Measure one participant in this process.

    Seconds of `began` and `ended` are on a clock that all processes share, `faults` are page faults a step,
    `peak` is MiB, `tokens` and `texts` are a step's with padding and without, `data` those of all texts.
    """
    import torch

    from headstart.engine.memory import keep_freed_memory, read_peak_bytes

    torch.set_num_threads(part.threads)
    if part.kind in ("headstart", "floor") or part.levers.memory:
        keep_freed_memory()
    chosen, seen = subject(part.subject), Seen([], [])
    if part.kind == "trainer":
        marks = trainer_marks(part, chosen, seen)
    else:
        steps = {"loop": loop, "headstart": headstart_steps, "floor": floor}[part.kind]
        marks = _timed(steps(part, chosen, seen), part)
    lengths = chosen.setting.parts["train"].tokens.lengths[chosen.member.index]
    data = {"data": BATCH * float(np.mean(lengths)), "peak": read_peak_bytes() / 2**20}
    return {**marks, **seen.means(part.steps), **data}


def _timed(steps: Iterator[object], part: Part) -> dict[str, float]:
    warm = sum(1 for _ in islice(steps, WARM))
    if part.waits:
        _await_others(sys.stdout)
    faults, began = _faults(), time.perf_counter()
    n_steps = sum(1 for _ in islice(steps, part.steps))
    ended = time.perf_counter()
    if warm + n_steps < WARM + part.steps:
        raise ValueError(f"{WARM} + {part.steps} steps asked for, {warm + n_steps} made")
    return {"began": began, "ended": ended, "faults": (_faults() - faults) / part.steps}


def _await_others(out: TextIO) -> None:
    """Say that the warm-up is over, and return once told to go on."""
    print("ready", file=out, flush=True)
    sys.stdin.readline()


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


# --- our loop, lever by lever -------------------------------------------------------------------------


def loop(part: Part, chosen: Subject, seen: Seen) -> Iterator[None]:
    """The usual script's loop with the levers of `part`."""
    import torch

    levers, model = part.levers, chosen.model()
    if levers.rows:
        use_rows_in_use(model, chosen.setting)
    module, act = (_flat if levers.flat else _usual)(model, chosen)
    texts = chosen.setting.parts["train"]
    for step, index in enumerate(batches(chosen, bucketed=levers.buckets)):
        batch = _batch(chosen, index, levers)
        seen.add(batch.input_ids.size, int(batch.attention_mask.sum()))
        with _masks(levers, batch, step), _format(levers):
            logits = module(**_inputs(batch)).logits
        labels = torch.from_numpy(texts.labels[index])
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        act()
        yield


def use_rows_in_use(model: Any, context: PackContext) -> None:
    """Leave the model the embedding rows that its texts use."""
    from headstart.models.vocabulary import compact_embedding, find_used_ids

    compact_embedding(
        model, find_used_ids([texts.tokens for texts in context.parts.values()], context.pad_id)
    )


def _usual(model: Any, chosen: Subject) -> tuple[Any, Callable[[], None]]:
    act = usual(model, chosen.member)
    return model, lambda: act(RATE)


def usual(model: Any, member: Member) -> Callable[[float], None]:
    """Clipping and torch's AdamW as scripts use it, over the model's own tensors: a step at a given rate."""
    import torch

    from headstart.engine.optim.decay import find_decaying_parameters

    training, names = member.run.training, find_decaying_parameters(model)
    groups = [
        {"params": [p for n, p in model.named_parameters() if (n in names) == decays], "weight_decay": decay}
        for decays, decay in ((True, training.weight_decay), (False, 0.0))
    ]
    optimiser = torch.optim.AdamW(groups, lr=RATE, betas=training.betas, eps=training.epsilon)

    def act(rate: float) -> None:
        for group in optimiser.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip)
        optimiser.step()
        optimiser.zero_grad()

    return act


def _flat(model: Any, chosen: Subject) -> tuple[Any, Callable[[], None]]:
    """Headstart's buffers and optimiser."""
    from headstart.engine.optim.create import create_optimiser
    from headstart.engine.optim.decay import find_decaying_parameters
    from headstart.engine.weights import Weights

    training, weights = chosen.member.run.training, Weights(model, find_decaying_parameters(model))
    optimiser = create_optimiser(weights, [training])

    def act() -> None:
        optimiser.step([RATE], [training.clip])
        weights.zero_gradients()

    return weights.module, act


def _batch(chosen: Subject, index: np.ndarray, levers: Levers) -> Batch:
    """The texts as the levers have them padded."""
    from headstart.data.batches import Batch, collate

    texts = chosen.setting.parts["train"]
    batch = collate(texts.tokens, index, texts.labels[index], chosen.setting.pad_id)
    longest = int(texts.tokens.lengths[index].max())
    width = batch.input_ids.shape[1] if levers.few else longest if levers.buckets else chosen.most

    def fit(rows: np.ndarray, fill: int) -> np.ndarray:
        return np.pad(rows[:, :width], ((0, 0), (0, max(0, width - rows.shape[1]))), constant_values=fill)

    types = None if batch.token_type_ids is None else fit(batch.token_type_ids, 0)
    return Batch(
        fit(batch.input_ids, chosen.setting.pad_id), fit(batch.attention_mask, 0), types, batch.labels
    )


def _inputs(batch: Batch) -> dict[str, torch.Tensor]:
    import torch

    from headstart.engine.step import build_inputs

    return build_inputs(batch, torch.device("cpu"))


def _masks(levers: Levers, batch: Batch, step: int) -> Any:
    from headstart.engine.dropout import DropoutKey, HostDropout

    rows, length = batch.input_ids.shape
    return HostDropout([DropoutKey(0, step, rows, length)], rows, length) if levers.masks else nullcontext()


def _format(levers: Levers) -> Any:
    import torch

    from headstart.device import make_autocast_context

    return make_autocast_context(torch.device("cpu"), "bf16") if levers.bf16 else nullcontext()


# --- Headstart, Trainer, and the floor ----------------------------------------------------------------


def headstart_steps(part: Part, chosen: Subject, seen: Seen) -> Iterator[object]:
    """The steps that a study makes."""
    from headstart.data.batches import compute_padded_length
    from headstart.engine.train import iter_training_steps

    train = chosen.setting.parts["train"].tokens
    for index in islice(batches(chosen, bucketed=True), WARM + part.steps):
        seen.add(len(index) * compute_padded_length(train, index), int(train.lengths[index].sum()))
    return iter_training_steps([chosen.member], chosen.weights(), chosen.setting)


def trainer_marks(part: Part, chosen: Subject, seen: Seen) -> dict[str, float]:
    """The library's own loop, padded by us to the same lengths."""
    import torch
    from transformers import Trainer, TrainerCallback

    marks: list[tuple[float, int]] = []
    out = sys.stdout

    class Marks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if part.waits and len(marks) == WARM - 1:
                _await_others(out)
            marks.append((time.perf_counter(), _faults()))

    def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = _batch(chosen, np.array([row["index"] for row in rows]), part.levers)
        seen.add(batch.input_ids.size, int(batch.attention_mask.sum()))
        return {**_inputs(batch), "labels": torch.from_numpy(batch.labels)}

    lengths = chosen.setting.parts["train"].tokens.lengths
    rows = [{"index": int(i), "input_ids": range(int(lengths[i]))} for i in chosen.member.index]
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(part, chosen, folder)
        trainer = Trainer(
            chosen.model(), arguments, data_collator=collate, train_dataset=rows, callbacks=[Marks()]
        )
        with redirect_stdout(StringIO()):  # it prints its logs; stdout is for the one line
            trainer.train()
    (began, before), (ended, after) = marks[WARM - 1], marks[WARM - 1 + part.steps]
    return {"began": began, "ended": ended, "faults": (after - before) / part.steps}


def _arguments(part: Part, chosen: Subject, out: str) -> Any:
    from transformers import TrainingArguments

    training = chosen.member.run.training
    return TrainingArguments(
        output_dir=out,
        max_steps=WARM + part.steps,
        per_device_train_batch_size=BATCH,
        train_sampling_strategy="group_by_length" if part.levers.buckets else "random",
        remove_unused_columns=False,
        learning_rate=RATE,
        weight_decay=training.weight_decay,
        adam_beta1=training.betas[0],
        adam_beta2=training.betas[1],
        adam_epsilon=training.epsilon,
        max_grad_norm=training.clip,
        bf16=part.levers.bf16,
        use_cpu=True,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def floor(part: Part, chosen: Subject, seen: Seen) -> Iterator[None]:
    """The matrix products of the same steps, forward and backward, and nothing else.

    Every layer's weights are its own; activations are slices of a few buffers, for a product's time does
    not depend on its numbers. Pooler and head, which see one token of each text, are left out.
    """
    import torch

    config = chosen.model().config
    dtype = torch.bfloat16 if part.levers.bf16 else torch.float32
    wide, inner, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
    shapes = [(wide, wide)] * 4 + [(inner, wide), (wide, inner)]
    weights = [torch.randn(*shape).to(dtype) for shape in shapes * config.num_hidden_layers]
    states = {n: torch.randn(BATCH * chosen.most, n).to(dtype) for n in (wide, inner)}
    weighted = torch.randn(BATCH * heads * chosen.most**2).to(dtype)
    lengths = chosen.setting.parts["train"].tokens.lengths
    for index in batches(chosen, bucketed=True):
        rows, longest = len(index), int(lengths[index].max())
        seen.add(rows * longest, int(lengths[index].sum()))
        _linear_products(weights, {n: x[: rows * longest] for n, x in states.items()})
        each = states[wide].view(-1)[: rows * longest * wide].view(rows * heads, longest, wide // heads)
        many = weighted[: rows * heads * longest**2].view(rows * heads, longest, longest)
        for _ in range(config.num_hidden_layers):
            _attention_products(each, many)
        yield


def _linear_products(weights: list[torch.Tensor], states: dict[int, torch.Tensor]) -> None:
    for weight in weights:
        states[weight.shape[1]] @ weight.t()
    for weight in reversed(weights):
        gradient = states[weight.shape[0]]
        gradient @ weight
        gradient.t() @ states[weight.shape[1]]


def _attention_products(each: torch.Tensor, many: torch.Tensor) -> None:
    """q k', p v, and the two gradients of each: [rows * heads, T, D / heads] and [rows * heads, T, T]."""
    for _ in range(2):
        each @ each.mT
    for matrix in (many, many.mT, many, many.mT):
        matrix @ each
