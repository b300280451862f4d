"""The command that takes checkpoints of other programs: import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from headstart.cli.options import AsJson, Force, Quiet
from headstart.cli.output import print_json, print_rendered
from headstart.errors import HeadstartError
from headstart.stages import LOADING, tell_stage

_FORMATS: Final = ("fairseq",)


def import_(
    source_format: Annotated[
        str, typer.Argument(metavar="FORMAT", help="Whose checkpoint it is: fairseq.", show_default=False)
    ],
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The checkpoint, or its folder.", show_default=False)
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.", show_default=False)],
    head: Annotated[
        str | None, typer.Option(metavar="NAME", help="Head to take; lm_head: the masked language model's.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Its binarised data, with dict.txt; default: its own folder."),
    ] = None,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="Label dictionary.")] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="sentencepiece, gpt2, fastbpe or none; default: by its files."),
    ] = None,
    family: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="roberta, camembert, gottbert or xlm-roberta; default: as seen."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a Hugging Face folder of a fairseq checkpoint.

    RoBERTa and its kin, without fairseq; nothing in the file is run. The folder is a model for study files.
    """
    if source_format not in _FORMATS:
        raise HeadstartError(
            repr(source_format), where="FORMAT", expected="fairseq", fix="see headstart import --help"
        )
    tell_stage(LOADING)
    from headstart.commands.import_ import import_fairseq

    imported = import_fairseq(
        path,
        output,
        head=head,
        data=data,
        labels=labels,
        tokenizer=tokenizer,
        family=family,
        force=force,
    )
    if as_json:
        print_json(imported.to_dict())
        return
    from headstart.report.imported import render_import

    print_rendered(render_import(imported))
