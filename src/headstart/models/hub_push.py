"""Puts files into a model repository of the hub in one commit; says in words what the hub refuses.

The token is huggingface_hub's to find and to send: here it is only asked whether there is one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, get_token
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import validate_repo_id

from headstart.errors import HubError
from headstart.models.hub_answers import ask_hub, hear_hub
from headstart.store.model_notes import NOTES_FILE
from headstart.wording import format_names

#: What may lie in a repository of ours beside a model.
_BESIDE: Final = re.compile(r"\.gitattributes|\.gitignore|(LICENSE|LICENCE|NOTICE)(\.\w+)?", re.IGNORECASE)
#: A branch: no part of it begins with a dot, and git's own marks are none of it.
_BRANCH: Final = re.compile(r"(?!.*\.\.)\w[\w.-]*(/\w[\w.-]*)*(?<!\.lock)(?<!\.)", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
#: Seconds for the first answer: of the uploads nobody knows how long they take.
_PATIENCE: Final = 60
_SHOWN: Final = 5


@dataclass(frozen=True)
class HubTarget:
    """Where files go: `repo` is USER/NAME, and it is made `private` where it is not there yet."""

    repo: str
    revision: str
    private: bool
    message: str


@dataclass(frozen=True)
class HubCommit:
    """What became of a push: `removed` are files of an earlier one, `notes` what the hub says of the card."""

    commit: str
    created: bool
    private: bool
    unchanged: bool
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Repository:
    """A repository as it is: its files and head, at the branch where that is there."""

    names: frozenset[str]
    head: str | None
    private: bool
    has_branch: bool


def check_target(target: HubTarget) -> None:
    """See that the names are such that the hub may have.

    Raises:
        HubError: they are not.
    """
    try:
        validate_repo_id(target.repo)
        is_id = target.repo.count("/") == 1
    except HFValidationError:
        is_id = False
    if not is_id:
        raise HubError(
            f"{target.repo[:120]!r} is not a repository id",
            where="--repo",
            expected="USER/NAME or ORGANISATION/NAME: letters, digits, '-', '_' and '.', 96 at most",
        )
    if not _BRANCH.fullmatch(target.revision) or len(target.revision) > 200:
        raise HubError(
            f"{target.revision[:120]!r} is not a branch name",
            where="--revision",
            expected="a name such as main or v2",
        )
    if not target.message.strip():
        raise HubError("empty", where="--message", expected="what the commit is about")


def check_access() -> None:
    """See that the hub may be asked, and that there is a token; asks nobody.

    Raises:
        HubError: it may not, or there is none.
    """
    if constants.HF_HUB_OFFLINE:
        raise HubError(
            "HF_HUB_OFFLINE is set, so nothing is sent",
            fix="unset it to push; --dry-run shows what would go out, and needs no network",
        )
    find_endpoint()
    token = get_token()
    if not token:
        raise HubError(
            "no Hugging Face token found",
            expected="a token with write access",
            fix="hf auth login, or HF_TOKEN in the environment; never on the command line",
        )
    if not (token.isascii() and token.isprintable()):
        raise HubError("the token contains invalid characters", fix="hf auth login with a new one")


def find_endpoint() -> str:
    """The hub's address, as HF_ENDPOINT has it.

    Raises:
        HubError: it is none, or would have the token sent for all to read.
    """
    address = (os.environ.get("HF_ENDPOINT") or str(constants.ENDPOINT)).rstrip("/")
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        parts, host = None, None
    is_plain = parts is not None and parts.scheme == "http"
    if parts is None or parts.scheme not in ("http", "https") or not host or parts.username:
        raise HubError(
            "is not a valid address", where="HF_ENDPOINT", expected="such as https://huggingface.co"
        )
    if is_plain and host not in _LOOPBACK:
        raise HubError(
            f"http://{host} would send the token unencrypted",
            where="HF_ENDPOINT",
            expected="https://, or http:// to this machine only",
        )
    return address


def push_to_hub(
    target: HubTarget,
    files: Sequence[tuple[str, Path | bytes]],
    is_ours: Callable[[str], bool],
    *,
    force: bool,
) -> HubCommit:
    """Put the files into the repository in one commit, which is made where it is not there.

    Files that an earlier push left there, and this one has no more, are removed in the same commit.

    Args:
        files: each its name in the repository, and its file or its content.
        is_ours: whether a push may have written a file of this name.
        force: go on where the repository holds what no push wrote; that stays, but for files of equal names.

    Raises:
        HubError: the hub refuses, or is not reached; the repository holds other files, or others see it.
    """
    api = HfApi(endpoint=find_endpoint(), token=True)
    with hear_hub() as heard:
        there = ask_hub(lambda: _find_repository(api, target), target.repo)
        now = _create(api, target) if there is None else there
        _check_repository(now, target, is_ours, force=force)
        made = f"the repository {target.repo} was created; " if there is None else ""
        if not now.has_branch:
            make = partial(api.create_branch, target.repo, branch=target.revision, exist_ok=True)
            ask_hub(make, target.repo, made)
        removed = _list_stale(now, files, is_ours)
        commit = ask_hub(lambda: _commit(api, target, files, removed, now.head), target.repo, made)
    unchanged = commit == now.head
    return HubCommit(commit, there is None, now.private, unchanged, removed, tuple(heard))


def _create(api: HfApi, target: HubTarget) -> _Repository:
    """The new repository, which has a branch main and no files of a model."""
    ask_hub(lambda: api.create_repo(target.repo, private=target.private), target.repo)
    is_main = target.revision == constants.DEFAULT_REVISION
    return _Repository(frozenset(), None, target.private, has_branch=is_main)


def _find_repository(api: HfApi, target: HubTarget) -> _Repository | None:
    """The repository; None where the hub knows none."""
    has_branch = True
    try:
        try:
            info = api.model_info(target.repo, revision=target.revision, timeout=_PATIENCE)
        except RevisionNotFoundError:
            info, has_branch = api.model_info(target.repo, timeout=_PATIENCE), False
    except RepositoryNotFoundError as error:
        if error.response.status_code == 404:
            return None
        raise
    if str(info.id).lower() != target.repo.lower():
        raise HubError("the repository was renamed", where=target.repo, fix="use the name on its page")
    names = frozenset(str(sibling.rfilename) for sibling in info.siblings)
    head = str(info.sha) if _COMMIT.fullmatch(str(info.sha)) else None
    return _Repository(names, head, bool(info.private), has_branch)


def _check_repository(
    there: _Repository, target: HubTarget, is_ours: Callable[[str], bool], *, force: bool
) -> None:
    """See that what is there may be written over, and that nobody sees it who is not to."""
    if target.private and not there.private:
        raise HubError(
            "the repository is public: everyone could read what is pushed",
            where=target.repo,
            fix="--public if that is meant, or another name",
        )
    others = sorted(name for name in there.names if not _BESIDE.fullmatch(name))
    if NOTES_FILE in there.names:
        others = [name for name in others if not is_ours(name)]
    if others and not force:
        raise HubError(
            f"contains files that Headstart did not push: {format_names(others, _SHOWN)}",
            where=target.repo,
            fix="another name; or --force, which overwrites files of the same name and keeps the others",
        )


def _list_stale(
    there: _Repository, files: Sequence[tuple[str, Path | bytes]], is_ours: Callable[[str], bool]
) -> tuple[str, ...]:
    """What an earlier push left, and this one has not: of an adapter and a model one would be passed over."""
    if NOTES_FILE not in there.names:
        return ()
    return tuple(sorted(name for name in there.names - {name for name, _ in files} if is_ours(name)))


def _commit(
    api: HfApi,
    target: HubTarget,
    files: Sequence[tuple[str, Path | bytes]],
    removed: Sequence[str],
    head: str | None,
) -> str:
    """The new commit's id; of none, where nothing had changed, that of the last."""
    operations: list[Any] = [CommitOperationAdd(name, content) for name, content in files]
    operations += [CommitOperationDelete(name) for name in removed]
    done = api.create_commit(
        target.repo,
        operations,
        commit_message=target.message,
        revision=target.revision,
        parent_commit=head,
    )
    if not _COMMIT.fullmatch(str(done.oid)):
        raise ValueError("no commit's id")
    return str(done.oid)
