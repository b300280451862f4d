"""Whatever a repository is called, and whatever a hub answers: a push, or one message without the token."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headstart
from fuzzing import run_to_end
from hub_stand_in import TOKEN, Answer, Hub, serve_hub
from odd_values import texts

REPO: Final = "me/reviews"
#: Parts of what a push asks, in its order.
ASKED: Final = (
    "GET /api/models",
    "repos/create",
    "validate-yaml",
    "preupload",
    "objects/batch",
    "PUT /lfs/",
    "/commit/",
)
STATUSES: Final = (200, 201, 204, 302, 304, 400, 401, 403, 404, 409, 412, 413, 422, 429, 451, 500, 503)
#: More than any answer of a hub has.
HUGE: Final = 3_000_000


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """One for all examples, which waits for nobody."""
    with pytest.MonkeyPatch.context() as patch, serve_hub(patch) as served:
        patch.setattr("time.sleep", lambda seconds: None)
        yield served


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A whole model with a card."""
    folder = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("hub") / "model"))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n", encoding="utf-8")
    return folder


def values() -> st.SearchStrategy[Any]:
    """What JSON can hold, with names that a hub's answers have and the token among its texts."""
    names = ("id", "sha", "private", "siblings", "rfilename", "files", "path", "uploadMode", "objects", "oid",
             "actions", "upload", "href", "header", "errors", "warnings", "message", "commitOid", "commitUrl",
             "url", "error")  # fmt: skip
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        texts(),
        st.sampled_from([TOKEN, REPO, "lfs", "/"]),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(names), inner, max_size=6)
        ),
        max_leaves=12,
    )


def bodies() -> st.SearchStrategy[bytes]:
    """Answers as they should look, others, and huge ones."""
    written = values().map(lambda value: json.dumps(value, ensure_ascii=True).encode())
    huge = st.sampled_from([b"[" * HUGE, b'{"error": "' + b"x" * HUGE + b'"}', TOKEN.encode() * (HUGE // 37)])
    return st.one_of(written, st.binary(max_size=60), huge, st.just(f"you sent {TOKEN}".encode()))


def answers() -> st.SearchStrategy[Answer]:
    """Of any kind: cut short, of the wrong type, with the token in a header."""
    headers = st.fixed_dictionaries(
        {},
        optional={
            "Content-Type": st.sampled_from(["application/json", "text/html", "application/json; charset=x"]),
            "X-Error-Code": st.sampled_from(["RepoNotFound", "GatedRepo", "RevisionNotFound", TOKEN]),
            "X-Error-Message": st.sampled_from([f"you sent {TOKEN}", "x" * 5000, "\x1b[31m"]),
            "Location": st.sampled_from(["/api/models/me/reviews", "gopher://x", "http://127.0.0.1:9/"]),
            "Content-Encoding": st.sampled_from(["gzip", "br", "x"]),
            "Retry-After": st.sampled_from(["0", "x"]),
        },
    )
    return st.builds(Answer, st.sampled_from(STATUSES), bodies(), headers, st.sampled_from([0, 0, 0, 50]))


def check_kept_secret(error: Exception) -> None:
    """No message has the token, nor what a traceback would print before it."""
    assert TOKEN not in str(error)
    assert (error.__cause__, error.__context__) == (None, None)


def push_and_listen(model: Path, hub: Hub, repo: str, caplog: pytest.LogCaptureFixture, **keys: Any) -> None:
    """Push; no log, and by `run_to_end` no message, may hold the token."""
    hub.repositories.clear()
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    try:
        headstart.push(model, repo, **keys)
    except headstart.HeadstartError as error:
        check_kept_secret(error)
        raise
    finally:
        assert TOKEN not in caplog.text


def test_the_model_is_one_that_can_be_pushed(model: Path, hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    hub.faults = {}
    push_and_listen(model, hub, REPO, caplog)
    assert "model.safetensors" in hub.repositories[REPO].branches["main"]


@given(st.sampled_from(ASKED), answers())
def test_answers_of_a_hub(
    model: Path,
    hub: Hub,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    part: str,
    answer: Answer,
) -> None:
    hub.faults = {part: answer}
    run_to_end(push_and_listen, model, hub, REPO, caplog)
    assert TOKEN not in "".join(capfd.readouterr())


@given(texts(), st.one_of(st.just("main"), texts()), st.booleans())
def test_names_of_repositories(
    model: Path, hub: Hub, caplog: pytest.LogCaptureFixture, repo: str, revision: str, has_user: bool
) -> None:
    hub.faults = {}
    run_to_end(
        push_and_listen,
        model,
        hub,
        f"me/{repo}" if has_user else repo,
        caplog,
        revision=revision,
        dry_run=True,
    )
