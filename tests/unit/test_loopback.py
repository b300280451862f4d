"""Pages are served to this machine alone."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from headstart.errors import HeadstartError
from headstart.loopback import LoopbackServer, Page


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    asked: list[str] = []

    def make() -> Page:
        asked.append("x")
        return Page(f"asked {len(asked)}".encode(), "text/html; charset=utf-8", (("X-Own", "1"),))

    with LoopbackServer({"/": make}) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def ask(
    server: LoopbackServer, path: str = "/", method: str = "GET", host: str | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_a_page_is_made_at_each_request(server: LoopbackServer) -> None:
    answer, content = ask(server)
    assert (answer.status, content) == (200, b"asked 1")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Own"] == "1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert ask(server, "/?again")[1] == b"asked 2"
    assert ask(server, host=f"localhost:{server.server_port}")[0].status == 200
    assert ask(server, method="HEAD")[1] == b""


def test_what_is_not_there_is_404(server: LoopbackServer) -> None:
    for path in ("/other", "/../etc/passwd", "/%2e%2e/etc/passwd"):
        assert ask(server, path)[0].status == 404
    assert ask(server, method="POST")[0].status == 501


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1"])
def test_another_sites_name_is_refused(server: LoopbackServer, host: str) -> None:
    answer, content = ask(server, host=host)
    assert answer.status == 403
    assert b"asked" not in content


def test_only_the_loopback_interface_listens(server: LoopbackServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/"


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(HeadstartError, match="cannot be used"):
            LoopbackServer({}, taken.getsockname()[1])
    with pytest.raises(HeadstartError, match="no port"):
        LoopbackServer({}, 70_000)
