"""The commands that use saved models: predict, generate and export."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headstart.cli.inputs import InputFormat, open_inputs, read_prompt
from headstart.cli.options import LARGEST_SEED, AsJson, Force, Quiet
from headstart.cli.output import (
    describe_written,
    print_json,
    print_news,
    print_piece,
    print_rendered,
    print_text,
)
from headstart.cli.unused import refuse_unused
from headstart.errors import HeadstartError
from headstart.stages import LOADING, tell_stage

if TYPE_CHECKING:
    from headstart.commands.predict_texts import TextPredictions
    from headstart.engine.generate import GenerationConfig


def predict(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Folder of a saved model or adapter.", show_default=False),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Quoted texts; or a CSV, TSV, JSONL or Parquet file; or - for standard input.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write a labelled copy of FILE, of the same format."
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Text column, or A,B for pairs; default: the study's."),
    ] = None,
    separator: Annotated[
        str | None, typer.Option(metavar="CHAR", help="CSV separator; default: a comma.")
    ] = None,
    input_format: Annotated[
        InputFormat,
        typer.Option(
            "--format", metavar="FORMAT", help="Format of standard input: lines, csv, tsv or jsonl."
        ),
    ] = "lines",
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Label texts with a saved model.

    An existing file, or a name that ends like a table (.csv, .tsv, .jsonl, .json, .parquet), is a file; all
    else is a text. What is printed in a pipe has tabs between its columns.
    """
    with open_inputs(inputs or (), input_format) as source:
        if isinstance(source, list):
            why = "the input is texts, not a file"
            refuse_unused({"--text": text, "--separator": separator, "--output": output}, why)
            _predict_texts(model, source, as_json=as_json)
        elif output is None:
            _show_rows(model, source, text, separator or ",", as_json=as_json)
        else:
            _label_file(model, source, output, text, separator or ",", force=force, as_json=as_json)


def _predict_texts(model: Path, texts: list[str], *, as_json: bool) -> None:
    from headstart.commands.predict_texts import predict_texts

    _print_predictions(predict_texts(model, texts), as_json=as_json)


def _show_rows(model: Path, source: Path, text: str | None, separator: str, *, as_json: bool) -> None:
    from headstart.commands.predict_texts import predict_rows

    _print_predictions(predict_rows(model, source, text=text, separator=separator), as_json=as_json)


def _label_file(
    model: Path, source: Path, output: Path, text: str | None, separator: str, *, force: bool, as_json: bool
) -> None:
    from headstart.commands.predict import predict as label_file

    rows = label_file(model, source, output, text=text, separator=separator, force=force)
    if as_json:
        print_json(describe_written(model, output, rows))
    else:
        print_text(f"labelled {rows} rows: {output}")


def _print_predictions(found: TextPredictions, *, as_json: bool) -> None:
    from headstart.report.predict import format_predictions, render_predictions

    if as_json:
        print_json(found.to_dict())
    elif sys.stdout.isatty():
        print_rendered(render_predictions(found.predictions))
    else:
        print_text(format_predictions(found.predictions), end="")


def generate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder, adapter, hub id or asset.")],
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="The prompt, or - for standard input; else --file.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="CSV, TSV, JSONL or Parquet.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write, with --file.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Prompt column of --file; default: prompt.")
    ] = None,
    max_new_tokens: Annotated[
        int, typer.Option(metavar="N", min=1, max=1_000_000, help="Maximum length of an answer, in tokens.")
    ] = 128,
    temperature: Annotated[float, typer.Option(metavar="T", min=0, help="0: greedy; above: sampling.")] = 0.0,
    top_p: Annotated[
        float,
        typer.Option(
            metavar="P", min=0, max=1, help="Nucleus sampling: total probability of the tokens kept."
        ),
    ] = 1.0,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Random seed of sampling.")
    ] = 0,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Answer prompts with a language model.

    A prompt, or a file of prompts, by the model's chat template.
    """
    tell_stage(LOADING)
    from headstart.engine.generate import GenerationConfig

    if (prompt is None) == (file is None) or (file is None) != (output is None):
        raise HeadstartError("either a prompt or --file with -o expected", where="generate")
    if not (math.isfinite(temperature) and math.isfinite(top_p)):
        raise HeadstartError(
            f"{temperature:g}, {top_p:g}", where="--temperature, --top-p", expected="numbers"
        )
    config = GenerationConfig(max_new_tokens, temperature, top_p, seed)
    if file is not None and output is not None:
        _answer_file(model, file, output, column or "prompt", config, force=force, as_json=as_json)
    elif prompt is not None:
        refuse_unused({"--column": column}, "the input is a prompt, not a file")
        _answer_prompt(model, read_prompt(prompt), config, as_json=as_json)


def _answer_file(
    model: str, file: Path, output: Path, column: str, config: GenerationConfig, *, force: bool, as_json: bool
) -> None:
    from headstart.commands.generate import generate_file

    count = generate_file(model, file, output, config, column=column, log=print_news, force=force)
    if as_json:
        print_json(describe_written(model, output, count))
    else:
        print_text(f"answered {count} prompts: {output}")


def _answer_prompt(model: str, prompt: str, config: GenerationConfig, *, as_json: bool) -> None:
    from headstart.commands.generate import open_generator
    from headstart.records import SCHEMA_VERSION

    generator = open_generator(model)
    for sentence in generator.prompt_formats:
        print_news(sentence)
    answers = generator.generate([prompt], config, tell=None if as_json else print_piece)
    if as_json:
        told = [{"prompt": prompt, "answer": one.text, "stopped": one.stopped} for one in answers]
        print_json({"schema_version": SCHEMA_VERSION, "model": model, "answers": told})
    else:
        print_text("")


def export(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A saved adapter's folder; a model's; a study file.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write.")
    ] = None,
    fairseq: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to write for fairseq: a RoBERTa, or a study's data."),
    ] = None,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge/--no-merge",
            " /--adapter",
            help="Merge the adapter into its base (default). --adapter: copy it unmerged, for PEFT.",
        ),
    ] = True,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Merge an adapter with its base, to one model.

    The whole model loads without PEFT. With --fairseq a model that is whole becomes a checkpoint of fairseq,
    and the data of a study file become binarised data.
    """
    if (output is None) == (fairseq is None):
        raise HeadstartError("one folder to write expected: -o FOLDER, or --fairseq FOLDER", where="export")
    tell_stage(LOADING)
    if fairseq is not None:
        _export_fairseq(model, fairseq, force=force, as_json=as_json)
    elif output is not None:
        _export_adapter(model, output, merge=merge, force=force, as_json=as_json)


def _export_fairseq(model: Path, target: Path, *, force: bool, as_json: bool) -> None:
    if model.is_file():
        _export_fairseq_data(model, target, force=force, as_json=as_json)
        return
    from headstart.commands.export_fairseq import export_fairseq

    exported = export_fairseq(model, target, force=force)
    if as_json:
        print_json(exported.to_dict())
        return
    for note in exported.notes:
        print_text(f"note: {note}")
    print_text(f"wrote {target}: {exported.parameters:,} parameters, {', '.join(exported.files)}")


def _export_fairseq_data(study: Path, target: Path, *, force: bool, as_json: bool) -> None:
    from headstart.commands.export_fairseq_data import export_fairseq_data

    exported = export_fairseq_data(study, target, force=force)
    if as_json:
        print_json(exported.to_dict())
        return
    sizes = ", ".join(f"{part} {count:,}" for part, count in exported.examples.items())
    unknown = f", {exported.unknown:,} of them <unk>" if exported.unknown else ""
    print_text(f"wrote {target}: {sizes}; {exported.pieces:,} pieces{unknown}")


def _export_adapter(model: Path, output: Path, *, merge: bool, force: bool, as_json: bool) -> None:
    from headstart.commands.export import export as export_model

    exported = export_model(model, output, merge=merge, force=force)
    if as_json:
        print_json(exported.to_dict())
    else:
        what = "merged model" if merge else f"adapter of {exported.base}"
        print_text(f"wrote {output}: {what}")
