"""`headstart push`: uploads a saved model and its card to a repository of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from headstart.commands.model_folders import is_study_folder, list_models, name_models
from headstart.commands.push_files import ModelFiles, collect_files, is_model_file
from headstart.errors import ModelError
from headstart.models.hub_push import (
    HubCommit,
    HubTarget,
    check_access,
    check_target,
    find_endpoint,
    push_to_hub,
)
from headstart.models.pushed_model import PushedModel
from headstart.os_faults import check_lookup
from headstart.stages import tell_stage
from headstart.store.layout import StudyLayout
from headstart.store.promoted_models import find_model_fault
from headstart.store.runs import RunStore
from headstart.wording import format_count

_MAIN: Final = "main"
_NO_LICENSE: Final = (
    "the card states no license: others may then not use the model; add `license: ...` to its first block"
)


def push(
    folder: str | Path,
    repo: str,
    *,
    arm: str | None = None,
    public: bool = False,
    revision: str = _MAIN,
    message: str | None = None,
    dry_run: bool = False,
    force: bool = False,
) -> PushedModel:
    """Upload the model in `folder` to the hub's repository `repo`, in one commit.

    Weights, configuration, tokenizer, the model card and `headstart.json` go out, and nothing else: no data,
    predictions or training states. A path of this machine in a configuration becomes a name. The token is
    huggingface_hub's: `hf auth login`, or `HF_TOKEN`.

    Example:
        headstart.push("runs/study/models/lora", "me/reviews-lora", dry_run=True)

    Args:
        folder: a model's, such as `OUT/models/ARM`, or a study's, of which `arm` says the arm.
        repo: USER/NAME; made, and private, where it is not there.
        public: make it so that everybody sees it; one that is public already takes no push without.
        revision: the branch.
        message: of the commit.
        dry_run: ask nobody, and say what would be sent.
        force: push into a repository that holds files which no push wrote.

    Raises:
        HubError: the hub refuses, or is not reached; there is no token, or HF_HUB_OFFLINE is set.
        ModelError: no whole model is there, or it is not the one that its run left.
    """
    model = _find_model(Path(folder), arm)
    default = f"Upload {model.resolve().name}, fine-tuned with Headstart"
    target = HubTarget(repo, revision, not public, default if message is None else message)
    check_target(target)
    if not dry_run:
        check_access()
    tell_stage(f"hashing the files of {model}")
    found = collect_files(model)
    _check_digests(model)
    if dry_run:
        return _describe(model, target, found, None)
    tell_stage(f"uploading {format_count(len(found.files), 'file')} to {repo}")
    files = [(file.path, file.source) for file in found.files]
    return _describe(model, target, found, push_to_hub(target, files, is_model_file, force=force))


def _find_model(folder: Path, arm: str | None) -> Path:
    """The model's folder: `folder` itself, or that of a study's arm."""
    check_lookup(folder)
    if not folder.is_dir():
        raise ModelError("no such folder", where=str(folder), expected="a model's folder, or a study's")
    if not is_study_folder(folder):
        if arm is not None:
            raise ModelError(
                f"{folder} is a model's folder, not a study's", where="--arm", fix="leave it out"
            )
        return folder
    layout = StudyLayout(folder)
    arms = [Path(model).name for model in list_models(layout)]
    if arm in arms or (arm is None and len(arms) == 1):
        return layout.get_arm_model_folder(arm or arms[0])
    raise ModelError(
        _describe_choice(arm, arms),
        where=str(folder),
        expected=f"--arm with one of: {name_models(arms)}" if arms else "a study that was run",
    )


def _describe_choice(arm: str | None, arms: list[str]) -> str:
    if arm is not None:
        return f"no model for arm {arm!r}"
    return "a study's folder with several models" if arms else "a study's folder without a model"


def _check_digests(model: Path) -> None:
    """See that the files are those that the run left, where the study is at hand."""
    out = model.resolve().parent.parent
    if model.resolve().parent.name != "models" or not is_study_folder(out):
        return
    store = RunStore(out)
    fault = find_model_fault(model.resolve(), store.read_done_records())
    if fault:
        raise ModelError(
            fault,
            where=str(model),
            fix="to restore it, delete the record.json of that run, and run the study again",
        )


def _describe(model: Path, target: HubTarget, found: ModelFiles, done: HubCommit | None) -> PushedModel:
    """What is said of the push; of a dry run `done` is None."""
    return PushedModel(
        model=model,
        repo=target.repo,
        url=_make_url(target),
        revision=target.revision,
        message=target.message,
        private=target.private if done is None else done.private,
        dry_run=done is None,
        files=found.files,
        left_out=found.left_out,
        notes=(*_list_notes(found, target, done), *(done.notes if done else ())),
        card=found.card,
        commit=done.commit if done else None,
        created=done.created if done else None,
        unchanged=bool(done and done.unchanged),
        removed=done.removed if done else (),
    )


def _make_url(target: HubTarget) -> str:
    """The page of the branch, without what else an address may hold."""
    parts = urlsplit(find_endpoint())
    page = f"{parts.scheme}://{parts.netloc}{parts.path}/{target.repo}"
    return page if target.revision == _MAIN else f"{page}/tree/{target.revision}"


def _list_notes(found: ModelFiles, target: HubTarget, done: HubCommit | None) -> list[str]:
    notes = []
    if found.base is not None:
        notes.append(
            f"the base, {found.base}, is a folder of this machine: who loads the model needs the same "
            "checkpoint; `headstart export` makes a whole model of an adapter"
        )
    if not found.has_license:
        notes.append(_NO_LICENSE)
    if done is not None and done.private and not target.private:
        notes.append("the repository is private, and stays so: its settings on the hub change that")
    return notes
