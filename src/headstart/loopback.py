"""Serves pages over HTTP to this machine alone, each made when it is asked for; shows nothing itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from headstart.errors import HeadstartError

#: Nothing but this machine can reach it, whatever its network is.
LOOPBACK: Final = "127.0.0.1"
#: Names by which a browser on this machine may ask. A page of another site that has its own name point here
#: (DNS rebinding) is refused by them.
_NAMES: Final = ("127.0.0.1", "localhost")
_MOST_PORT: Final = 65_535


@dataclass(frozen=True)
class Page:
    """What is served under a path: bytes of a media type, with headers of its own."""

    content: bytes
    media_type: str
    headers: tuple[tuple[str, str], ...] = ()


#: Makes a page when it is asked for.
MakePage = Callable[[], Page]


class LoopbackServer(ThreadingHTTPServer):
    """Serves pages by their path until it is closed; each request in a thread of its own.

    Raises:
        HeadstartError: the port is not free, or is none.
    """

    daemon_threads = True

    def __init__(self, pages: Mapping[str, MakePage], port: int = 0) -> None:
        self.pages = pages
        if not 0 <= port <= _MOST_PORT:
            raise HeadstartError(f"{port} is no port", where="--port", expected=f"0 to {_MOST_PORT:,}")
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise HeadstartError(
                f"port {port} cannot be used: {error.strerror}",
                where="--port",
                fix="choose another one, or leave it out: a free one is taken then",
            ) from error

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that went away; let other errors be seen."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for known paths, to browsers that ask this machine by its own name."""

    server: LoopbackServer
    server_version = "headstart"
    sys_version = ""
    #: A connection for each request: none outlives the server.
    protocol_version = "HTTP/1.0"
    timeout = 30

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def _answer(self, *, with_content: bool) -> None:
        make_page = self.server.pages.get(self.path.partition("?")[0])
        if not self._is_asked_by_name():
            self._send(HTTPStatus.FORBIDDEN, _say("only this machine may ask"), with_content=with_content)
        elif make_page is None:
            self._send(HTTPStatus.NOT_FOUND, _say("no such page"), with_content=with_content)
        else:
            self._send(HTTPStatus.OK, make_page(), with_content=with_content)

    def _is_asked_by_name(self) -> bool:
        port = self.server.server_port
        return self.headers.get("Host") in {f"{name}:{port}" for name in _NAMES}

    def _send(self, status: HTTPStatus, page: Page, *, with_content: bool) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": page.media_type,
            "Content-Length": str(len(page.content)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        for name, value in (*headers.items(), *page.headers):
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(page.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing: the terminal is for what the command says."""


def _say(sentence: str) -> Page:
    return Page(f"{sentence}\n".encode(), "text/plain; charset=utf-8")
