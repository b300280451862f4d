"""Workers, and the server that they come from, end with their parent, whatever they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from headstart.execute import parent_watch

#: A parent that is killed while its child holds the interpreter's lock, or waits in Python.
SCRIPT = """
import multiprocessing, os, signal, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
import at_work

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    at_work.start(context, {how!r}, {signals!r})
    while not Path({folder!r}, "ready").exists():
        pass
    print(*(child.pid for child in __import__("psutil").Process().children(recursive=True)), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
WORK = """
import ctypes, os, signal, time
from pathlib import Path
from headstart.execute import parent_watch

def start(context, how, signals):
    context.Process(target=work, args=(how, signals), daemon=True).start()

def work(how, signals):
    if not signals:
        parent_watch._ask_for_signal = lambda pipe: None
    parent_watch.end_with_parent()
    Path(__file__).with_name("ready").touch()
    if how == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    if how == "native":
        ctypes.PyDLL(None).sleep(600)  # holds the lock: no thread of Python's runs
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("method", "how", "signals"),
    [
        ("forkserver", "python", False),
        ("forkserver", "native", True),
        ("forkserver", "stopped", True),
        ("spawn", "python", False),
    ],
)
def test_all_processes_end_with_a_killed_parent(tmp_path: Path, method: str, how: str, signals: bool) -> None:
    if how in ("native", "stopped") and not sys.platform.startswith("linux"):
        pytest.skip("there only a thread looks")
    (tmp_path / "at_work.py").write_text(WORK, encoding="utf-8")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(tmp_path), method=method, how=how, signals=signals), "utf-8")
    parent = subprocess.run(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False, timeout=120
    )
    assert parent.returncode == -signal.SIGKILL
    children = [psutil.Process(int(pid)) for pid in parent.stdout.split() if psutil.pid_exists(int(pid))]
    _, alive = psutil.wait_procs(children, timeout=60)
    for process in alive:
        process.kill()
    assert alive == []


def test_a_process_that_is_no_child_goes_on() -> None:
    parent_watch.end_with_parent()


LOADING = """
import multiprocessing, os, signal
from multiprocessing import forkserver

if __name__ == "__main__":
    names = ["headstart.execute.server_loading", "slow", "headstart.execute.server_loaded"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(names)
    forkserver.ensure_running()
    while not os.path.exists({ready!r}):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_that_still_loads_ends_with_its_parent(tmp_path: Path) -> None:
    """It has the output, so that this would wait for it."""
    ready = tmp_path / "ready"
    (tmp_path / "slow.py").write_text(
        f"import time, pathlib\npathlib.Path({str(ready)!r}).touch()\ntime.sleep(600)\n", "utf-8"
    )
    script = tmp_path / "script.py"
    script.write_text(LOADING.format(ready=str(ready)), "utf-8")
    path = os.pathsep.join((str(tmp_path), *filter(None, sys.path)))  # the server has no other way to find it
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, str(script)]
    parent = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=False, timeout=120)
    assert parent.returncode == -signal.SIGKILL


FORKING = """
import os, threading
def refuse(*_):
    raise {error}
if {early}:
    threading.Thread.start = refuse
import headstart.execute.server_loading, headstart.execute.server_loaded
os.fork = refuse
os.fork()
"""


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("BlockingIOError(11, 'x')", ""),
        ('RuntimeError("can\'t start new thread")', ""),
        ("KeyError(1)", "KeyError: 1"),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_a_server_that_may_not_fork_leaves_no_traceback(error: str, shown: str, early: bool) -> None:
    """The process that asked it says what the matter is; what is a bug keeps its traceback."""
    code = FORKING.format(error=error, early=early)
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 1
    assert ended.stderr.strip().rpartition("\n")[2] == shown


def test_a_server_that_has_loaded_has_no_thread_of_its_own() -> None:
    names = ("server_loading", "server_loaded")
    code = "import threading, " + ", ".join(f"headstart.execute.{name}" for name in names)
    command = [sys.executable, "-c", f"{code}\nprint([thread.name for thread in threading.enumerate()])"]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    assert shown.stdout.strip() == "['MainThread']"
