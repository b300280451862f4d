"""Writes a first study as commented YAML, for a newcomer to read and to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from headstart.config.first_settings import FirstSettings
from headstart.config.metrics import SHARES
from headstart.config.study import Split
from headstart.config.traits import TASKS, get_task_traits
from headstart.data.guess.columns import shorten, show_name
from headstart.data.guess.data_guess import DataGuess
from headstart.records import SCHEMA_VERSION
from headstart.report.yaml_lines import format_line, quote, quote_all
from headstart.shown import Shown
from headstart.wording import format_names

#: Classes that a comment names.
_CLASSES_SHOWN: Final = 6
#: From fewer training examples nothing much is learnt.
_SMALLEST_SIZE: Final = 20


@dataclass(frozen=True, repr=False)
class StudyDraft(Shown, view="headstart.report.views.models:DRAFT"):
    """A first study: what was found in the data, the checkpoint, settings, and where results go.

    `file` is the study file that will be written, and `schema` the name of the JSON schema beside it;
    `is_other_schema` where one of that name was there, and is not this version's. `chose_model` where the
    user named none.
    """

    guess: DataGuess
    model: str
    chose_model: bool
    settings: FirstSettings
    file: Path
    schema: str
    is_other_schema: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        guess = self.guess
        return {
            "schema_version": SCHEMA_VERSION,
            "file": str(self.file),
            "schema": self.schema,
            "out": self.out,
            "task": guess.task,
            "model": self.model,
            "data": {key: str(path) for key, path in guess.files.items()},
            "columns": dict(guess.columns),
            "rows": guess.rows,
            "rows_read": guess.seen,
            "training_texts": self.training_texts,
            "median_words": guess.median_words,
            "classes": guess.classes,
            "settings": asdict(self.settings),
            "doubts": [*guess.doubts],
            "faults": [*guess.faults],
        }

    @property
    def out(self) -> str:
        """The folder of results, relative to the study file."""
        return f"runs/{self.file.stem}"

    @property
    def training_texts(self) -> int:
        """How many texts there are to learn from."""
        return count_training_texts(self.guess)


def count_training_texts(guess: DataGuess) -> int:
    """The rows that a study's default split leaves to training."""
    return round(guess.rows * (1 - sum(_list_shares(guess).values())))


def _list_shares(guess: DataGuess) -> dict[str, float]:
    """What share of the rows goes to each part without a file."""
    shares = {"valid": Split().valid, "test": Split().test}
    return {part: share for part, share in shares.items() if part not in guess.parts}


def format_study(draft: StudyDraft) -> str:
    """The commented study file."""
    name, generates = shorten(draft.file.name, 100), get_task_traits(draft.guess.task).generates
    lines = [
        f"# yaml-language-server: $schema={draft.schema}",
        f"# A Headstart study. `headstart plan {name}` checks it; add --probe to estimate its time.",
        f"# `headstart run {name}` trains. Keys left out here have defaults.",
        format_line("question", quote(_write_question(draft, generates=generates))),
        format_line("task", draft.guess.task, _list_other_tasks(draft.guess)),
        *_format_data(draft),
        format_line("model", quote(draft.model), _describe_model(draft, generates=generates)),
        *(_format_adapter_arms() if generates else _format_arms(draft)),
        format_line("seeds", "3", "each arm is trained once per seed"),
        *_format_training(draft, generates=generates),
        *_format_judgement(draft),
        format_line("out", quote(draft.out), "tables, curves, predictions and models"),
    ]
    return "\n".join(lines) + "\n"


def _write_question(draft: StudyDraft, *, generates: bool) -> str:
    name = Path(draft.model.removeprefix("asset:")).name
    return (
        f"Does LoRA teach {name} my answers?" if generates else f"Does pretraining ({name}) help on my texts?"
    )


def _list_other_tasks(guess: DataGuess) -> str:
    return "or " + ", ".join(name for name in TASKS if name != guess.task)


def _format_data(draft: StudyDraft) -> Iterator[str]:
    guess, folder = draft.guess, draft.file.resolve().parent
    yield "data:"
    for i, (key, path) in enumerate(guess.files.items()):
        yield format_line(
            key, quote(_shorten_path(path, folder)), _describe_rows(guess) if i == 0 else "", indent=2
        )
    for key, columns in guess.columns.items():
        value = quote(columns) if isinstance(columns, str) else quote_all(columns)
        yield format_line(key, value, _describe_column(key, guess), indent=2)
    for key, setting in guess.settings.items():
        yield format_line(key, quote(setting), indent=2)
    yield from (f"  # {shorten(sentence, 200)}" for sentence in (*guess.doubts, *guess.faults))
    if guess.faults:
        yield "  # skip_invalid: true          # skips such rows, which are an error otherwise"
    if not {"valid", "test"} <= {*guess.parts}:
        yield from _format_split(guess)


def _format_split(guess: DataGuess) -> Iterator[str]:
    shares = ", ".join(f"{part}: {share:g}" for part, share in _list_shares(guess).items())
    how = ", stratified by class" if get_task_traits(guess.task).labels == "class" else ""
    yield format_line("split", f"{{{shares}, seed: 0}}", f"shares of the rows{how}", indent=2)
    yield "  # `group: COLUMN` in split keeps rows that belong together (an author's, a film's) in one part"


def _describe_rows(guess: DataGuess) -> str:
    if guess.seen == guess.rows:
        return f"{guess.rows} rows"
    return f"{guess.rows} rows, of which {guess.seen}, spread over all, were read"


def _describe_column(key: str, guess: DataGuess) -> str:
    words = f"median {guess.median_words:.0f} words"
    if key == "text" and not isinstance(guess.columns[key], str):
        return f"a pair, {words} in total; for one of them alone: `text: {guess.columns[key][0]}`"
    if key in ("text", "prompt", "messages"):
        together = {"prompt": ", prompt and response together", "messages": " a conversation"}
        return words + together.get(key, "")
    if key != "label":
        return ""
    return _describe_classes(guess) if get_task_traits(guess.task).has_classes else "numbers"


def _describe_classes(guess: DataGuess) -> str:
    return format_names([f"{show_name(name)} {rows}" for name, rows in guess.classes.items()], _CLASSES_SHOWN)


def _describe_model(draft: StudyDraft, *, generates: bool) -> str:
    if generates and draft.chose_model:
        return "a placeholder: any causal model, a folder or a hub id"
    return "a causal model: a folder or a hub id" if generates else "a folder, a hub id, or asset:minilm"


def _format_arms(draft: StudyDraft) -> list[str]:
    is_pair = not isinstance(draft.guess.columns.get("text", ""), str)
    words = "the arms to compare" if is_pair else "a bag of words is added unless you set `words: null`"
    rates = ", ".join(draft.settings.learning_rates)
    return [
        format_line("arms", "", words),
        format_line("pretrained", "{init: pretrained}", indent=2),
        format_line(
            "random", "{init: random}", "the control: the same network without pretraining", indent=2
        ),
        format_line("control", "random"),
        "# Random weights often need a larger rate than pretrained ones: both arms try all of these, and",
        "# each is evaluated at its best one, chosen on valid with two extra seeds.",
        format_line("tune", f"{{learning_rate: [{rates}]}}"),
    ]


def _format_adapter_arms() -> list[str]:
    return [
        format_line("arms", "", "the arms to compare"),
        format_line("base", "{method: none}", "the control: the checkpoint as it is, not trained", indent=2),
        format_line("lora", "{method: lora}", "small trained matrices, frozen weights; r: 16", indent=2),
        "  # full: {}                  # trains every weight",
        "  # random: {init: random}    # the same network without pretraining",
        format_line("control", "base"),
    ]


def _format_training(draft: StudyDraft, *, generates: bool) -> Iterator[str]:
    settings = draft.settings
    texts = f"over some {draft.training_texts} training examples"
    cut = "LONG ONES ARE CUT" if settings.cuts_texts else "longer texts are cut"
    yield "training:"
    yield format_line("batch_size", str(settings.batch_size), indent=2)
    yield format_line("epochs", str(settings.epochs), f"{texts}; the best epoch on valid is tested", indent=2)
    yield format_line(
        "max_length", str(settings.max_length), f"tokens, a guess: {cut}; `plan` counts them", indent=2
    )
    if generates:
        rates = ", ".join(settings.learning_rates)
        yield f"# tune: {{learning_rate: [{rates}]}}  # lora at its best rate, chosen with two extra seeds"


def _format_judgement(draft: StudyDraft) -> Iterator[str]:
    default, *others = get_task_traits(draft.guess.task).metrics
    unit = "points" if default in SHARES else "differences"
    example = "1.0" if default in SHARES else "0.02"
    yield format_line("select", f"{{metric: {default}}}", f"or {', '.join(others)}")
    yield f"# margin: {example}  # {unit} of {default} that would not matter to you; set it before you run"
    if get_task_traits(draft.guess.task).generates:
        yield "# samples: ['A question of yours']  # answered before and after training"
    else:
        sizes = _choose_sizes(draft.training_texts)
        if sizes:
            question = "train each arm on this many training examples: what are labels worth?"
            yield f"# sizes: [{', '.join(sizes)}]  # {question}"


def _choose_sizes(texts: int) -> Sequence[str]:
    """Sizes not more than a factor of 3 apart, which is as far as they tell anything."""
    sizes = [float(f"{texts / factor:.2g}") for factor in (6.25, 2.5)]
    return [f"{size:.0f}" for size in sizes] + ["all"] if sizes[0] >= _SMALLEST_SIZE else []


def _shorten_path(path: Path, folder: Path) -> str:
    absolute = path.resolve()
    relative = str(absolute.relative_to(folder) if absolute.is_relative_to(folder) else absolute)
    return str(absolute) if relative.startswith("~") else relative  # a study's `~` is the user's home
