"""The commands that write, plan and run studies: init, plan, run, demo and schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import typer

from headstart.cli.listening import listen
from headstart.cli.options import AsJson, Force, Overrides, Quiet, StudyFile, Wait
from headstart.cli.output import print_json, print_news, print_rendered, print_text, silence_news
from headstart.cli.stages import show_stages
from headstart.config.torchrun import is_follower
from headstart.errors import HeadstartError
from headstart.interrupts import Interrupted, end_children, name_interrupt
from headstart.stages import LOADING, tell_stage

if TYPE_CHECKING:
    from headstart.config.study import Study


def init(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A data file or folder.", show_default=False)],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Checkpoint: folder, hub id, or asset:name; a small one by default."
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Text column, if the guess is wrong; A,B for pairs."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Label column, if the guess is wrong; A,B,C for columns of 0 and 1."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Study file to write.")
    ] = Path("study.yaml"),
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a commented study file for your data.

    It looks at labelled texts, or prompts and responses, and says what it took them for.
    """
    from headstart.commands.init import init as write_study
    from headstart.report.init import render_init

    draft = write_study(data, output, model=model, text=text, label=label, force=force)
    if as_json:
        print_json(draft.to_dict())
    else:
        print_text(render_init(draft))


def plan(
    study: StudyFile,
    overrides: Overrides = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Run a few real steps to measure memory and estimate time.")
    ] = False,
    machines: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Also estimate the time on N machines like this one.",
            show_default=False,
        ),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="GPUs of each machine; 0: none.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Worker processes on each machine; default: one per GPU, or as on this one.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Check a study and list its runs and cost.

    Nothing is trained, and nothing written.
    """
    with show_stages(after=0.0):
        loaded = _load_study(study, overrides)
        tell_stage(LOADING)
        from headstart.commands.plan import plan as plan_study
        from headstart.report.plan import render_plan

        planned = plan_study(loaded, print_news, probe=probe, machines=machines, gpus=gpus, workers=workers)
    if as_json:
        print_json(planned.to_dict())
    else:
        print_rendered(render_plan(planned))


def run(
    study: StudyFile,
    overrides: Overrides = None,
    until_decided: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="Add seeds until every contrast is decided, or its interval narrower than this.",
        ),
    ] = None,
    most_seeds: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Maximum number of seeds; default: 20.", show_default=False),
    ] = None,
    sequence: Annotated[
        Literal["signs", "t"] | None,
        typer.Option(
            metavar="signs|t",
            help="signs (default): no assumption about the distribution; t: normal differences.",
            show_default=False,
        ),
    ] = None,
    backend: Annotated[
        Literal["local", "ray"],
        typer.Option(metavar="local|ray", help="What trains: this machine, or a Ray cluster."),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Of the Ray cluster; default: RAY_ADDRESS, else that of this machine.",
            show_default=False,
        ),
    ] = None,
    wait: Wait = False,
    no_local_workers: Annotated[
        bool,
        typer.Option(
            "--no-local-workers", help="Train nothing here: let headstart work on other machines do it."
        ),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a study's missing runs, print findings.

    Runs that are done stay; the same command resumes a study that was interrupted.
    """
    if is_follower():
        silence_news()  # torchrun's first process tells
    with show_stages(after=0.0):
        loaded = _load_study(study, overrides)
    _check_until(until_decided, {"--most-seeds": most_seeds, "--sequence": sequence})
    how = _How(wait=wait, backend=backend, address=address, local_workers=not no_local_workers)
    if until_decided is None:
        _run_and_print(loaded, how, as_json=as_json)
    else:
        options = {"sequence": sequence} | ({} if most_seeds is None else {"most_seeds": most_seeds})
        _run_and_print(loaded, how, as_json=as_json, until=(until_decided, options))


def _load_study(file: Path, overrides: Sequence[str] | None) -> Study:
    tell_stage(f"reading {file}")
    from headstart.config.load import load_study

    return load_study(file, overrides or ())


def _check_until(until_decided: float | None, given: dict[str, object]) -> None:
    """See that nothing is said of adding seeds where none are added."""
    for name, value in given.items():
        if until_decided is None and value is not None:
            raise HeadstartError(
                f"{value}, but no seeds are added",
                where=name,
                expected="--until-decided POINTS as well",
                fix=f"leave {name} out, or add --until-decided",
            )


def schema(
    pretraining: Annotated[bool, typer.Option("--pretraining", help="Of pretraining files instead.")] = False,
    quiet: Quiet = False,
) -> None:
    """Print the JSON schema of study files."""
    from headstart.commands.schema import schema as make_schema

    print_json(make_schema(pretraining=pretraining))


def demo(
    overrides: Overrides = None, wait: Wait = False, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """Run a small, real study of about five minutes.

    Pretrained against random weights and a bag of words.
    """
    from headstart.commands.demo import load_demo

    _run_and_print(load_demo(overrides or ()), _How(wait=wait), as_json=as_json)


class _How(TypedDict, total=False):
    """What is the same wherever a study is run: whether it waits for others, and what trains."""

    wait: bool
    backend: Literal["local", "ray"]
    address: str | None
    local_workers: bool


def _run_and_print(
    study: Study, how: _How, *, as_json: bool, until: tuple[float, dict[str, Any]] | None = None
) -> None:
    if is_follower():
        from headstart.execute.torchrun import take_part

        take_part(study)
        return
    try:
        with listen(study.metric) as listeners:
            tell_stage(LOADING)
            from headstart.commands.run import run as run_study
            from headstart.commands.until import run_until
            from headstart.report.study_summary import render_study_summary

            if until is None:
                results = run_study(study, *listeners, **how)
            else:
                results = run_until(study, until[0], *listeners, **how, **until[1])
        if as_json:
            print_json(results.to_dict())
        else:
            print_rendered(render_study_summary(results.findings, results.out))
    except (Interrupted, KeyboardInterrupt) as interrupt:
        raise _end_study(study, interrupt) from None
    if results.findings.failed:
        raise typer.Exit(1)


def _end_study(study: Study, interrupt: BaseException) -> typer.Exit:
    """Say what an interrupted study keeps; gives what ends the command."""
    end_children()
    name, code = name_interrupt(interrupt)
    print_text(_describe_interrupt(study, name), err=True)
    return typer.Exit(code)


def _describe_interrupt(study: Study, name: str) -> str:
    from headstart.planning.kept import find_kept
    from headstart.report.kept import describe_kept

    try:
        return describe_kept(find_kept(study), name)
    except HeadstartError as error:  # a record that cannot be read: the next call says so too
        return f"interrupted: {error}"
