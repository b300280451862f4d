"""A stand-in of the hub's HTTP API on this machine, as far as a push asks it: repositories in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

TOKEN = "hf_" + "sEcReT0123456789abcdefghijklmnopq"


@dataclass
class Repository:
    """Files and head by branch."""

    private: bool
    branches: dict[str, dict[str, bytes]]
    heads: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What the stand-in says in place of what is right; `lacking` are bytes that it announces and keeps."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    lacking: int = 0


@dataclass
class Hub:
    """What was asked and received; `faults` are answers by a part of `METHOD path`."""

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    faults: dict[str, Answer] = field(default_factory=dict)
    commits: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, repo: str, files: dict[str, bytes], *, private: bool = True) -> None:
        """Have a repository."""
        self.repositories[repo] = Repository(private, {"main": dict(files)}, {"main": make_id(repo)})

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """What is right, or the fault that was asked for."""
        for part, fault in self.faults.items():
            if part in f"{method} {path}":
                return fault
        for pattern, reply in ROUTES:
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                return reply(self, body, *map(unquote, found.groups()))
        return Answer(404, b"no such route")


def make_id(*parts: object) -> str:
    """A commit's id."""
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()


def as_json(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def tell_model(hub: Hub, _: bytes, repo: str, revision: str | None = None) -> Answer:
    there = hub.repositories.get(repo)
    if there is None:
        return Answer(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"})
    branch = revision or "main"
    if branch not in there.branches:
        return Answer(404, b'{"error": "Invalid rev id"}', {"X-Error-Code": "RevisionNotFound"})
    names = [{"rfilename": name} for name in there.branches[branch]]
    return as_json({"id": repo, "sha": there.heads[branch], "private": there.private, "siblings": names})


def create(hub: Hub, body: bytes) -> Answer:
    asked = json.loads(body)
    repo = f"{asked['organization']}/{asked['name']}"
    if repo in hub.repositories:
        return Answer(409, b'{"error": "You already created this model repo"}')
    is_private = asked.get("visibility", "private" if asked.get("private") else "public") == "private"
    hub.add(repo, {".gitattributes": b"*.safetensors filter=lfs\n"}, private=is_private)
    return as_json({"url": f"{hub.address}/{repo}"})


def branch(hub: Hub, _: bytes, repo: str, name: str) -> Answer:
    there = hub.repositories[repo]
    there.branches[name], there.heads[name] = dict(there.branches["main"]), there.heads["main"]
    return as_json({})


def validate(hub: Hub, body: bytes) -> Answer:
    assert json.loads(body)["content"].startswith("---\n")
    return as_json({"errors": [], "warnings": [{"message": one} for one in hub.warnings]})


def preupload(hub: Hub, body: bytes, repo: str, revision: str) -> Answer:
    assert revision in hub.repositories[repo].branches
    files = [
        {
            "path": file["path"],
            "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
            "shouldIgnore": False,
            "oid": None,
        }
        for file in json.loads(body)["files"]
    ]
    return as_json({"files": files})


def batch(hub: Hub, body: bytes, repo: str) -> Answer:
    objects = [
        {**wanted, "actions": {"upload": {"href": f"{hub.address}/lfs/{wanted['oid']}", "header": {}}}}
        for wanted in json.loads(body)["objects"]
    ]
    return as_json({"transfer": "basic", "objects": objects})


def store(hub: Hub, body: bytes, oid: str) -> Answer:
    assert hashlib.sha256(body).hexdigest() == oid
    hub.objects[oid] = body
    return Answer(200)


def commit(hub: Hub, body: bytes, repo: str, revision: str) -> Answer:
    there = hub.repositories[repo]
    files = there.branches[revision]
    for line in body.splitlines():
        item = json.loads(line)
        value = item["value"]
        if item["key"] == "header":
            if value.get("parentCommit") not in (None, there.heads[revision]):
                return Answer(412, b'{"error": "A commit has happened since"}')
            hub.commits.append(value)
        elif item["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif item["key"] == "lfsFile":
            files[value["path"]] = hub.objects[value["oid"]]
        else:
            del files[value["path"]]
    there.heads[revision] = make_id(there.heads[revision], body)
    oid = there.heads[revision]
    return as_json({"commitUrl": f"{hub.address}/{repo}/commit/{oid}", "commitOid": oid})


REPO = r"([\w.-]+/[\w.-]+)"
ROUTES: tuple[tuple[str, Callable[..., Answer]], ...] = (
    (f"GET /api/models/{REPO}", tell_model),
    (f"GET /api/models/{REPO}/revision/([^/]+)", tell_model),
    ("POST /api/repos/create", create),
    (f"POST /api/models/{REPO}/branch/([^/]+)", branch),
    ("POST /api/validate-yaml", validate),
    (f"POST /api/models/{REPO}/preupload/([^/]+)", preupload),
    (rf"POST /{REPO}\.git/info/lfs/objects/batch", batch),
    ("PUT /lfs/([0-9a-f]+)", store),
    (f"POST /api/models/{REPO}/commit/([^/]+)", commit),
)


def make_handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    """Answers by `hub`, and keeps what was asked."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            hub.asked.append(f"{self.command} {path}")
            hub.tokens.append(self.headers.get("Authorization"))
            answer = hub.answer(self.command, path, body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + answer.lacking))
            self.close_connection = self.close_connection or answer.lacking > 0
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_HEAD = reply  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Handler


@contextmanager
def serve_hub(patch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that huggingface_hub finds, online and with a token, until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(hub))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    patch.setenv("HF_ENDPOINT", hub.address)
    patch.setenv("HF_TOKEN", TOKEN)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    # Its storage has a protocol of its own, which nothing here speaks.
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        patch.delenv(name, raising=False)
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
