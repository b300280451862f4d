"""A real Ray cluster of two nodes on this machine, of which one is killed in the middle of a study."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ray_nodes import RayNode, TwoNodes, two_nodes

StudyIn = Callable[..., Path]
SOURCE = Path(__file__).resolve().parents[2] / "src"
TRAINING = {"steps": 120, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
ARMS: dict[str, Any] = {"pretrained": {}, "random": {"init": "random"}, "words": {"method": "bag-of-words"}}
#: What a record says that is of the moment or the machine, and not of the run; its own digest covers these.
PASSING = {
    "seconds",
    "energy",
    "estimate",
    "peak_memory_bytes",
    "peak_device_memory_bytes",
    "provenance",
    "digest",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    """Two nodes, with this checkout; the second one may be dead after a test."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    environment = {
        "PYTHONPATH": os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "HEADSTART_CACHE": str(tmp_path_factory.mktemp("cache")),
        "HEADSTART_STATE_SECONDS": "0",
        "HF_HUB_OFFLINE": "1",
    }
    with two_nodes(environment) as nodes:
        yield nodes


def write_study(study_in: StudyIn, folder: Path, **changes: Any) -> Path:
    """A study of five runs that trains by two processes of one thread."""
    folder.mkdir()
    own = {"arms": ARMS, "seeds": [0, 1], "workers": 2, "pack": 1, "training": TRAINING, "trackers": []}
    return study_in(folder, **(own | changes))


def read_runs(out: Path) -> dict[str, Any]:
    """What each run's record says, without what passes."""
    found = {}
    for file in sorted((out / "runs").rglob("record.json")):
        record = {key: value for key, value in json.loads(file.read_bytes()).items() if key not in PASSING}
        for epoch in record["epochs"] or ():
            del epoch["seconds"]
        del record["execution"]["pinned"]
        found[str(file.parent.relative_to(out))] = record
    return found


def read_bits(out: Path) -> dict[str, bytes]:
    """What the runs predicted, and the weights of the models that are kept, by file."""
    files = [*(out / "runs").rglob("*.parquet"), *(out / "models").rglob("*.safetensors")]
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def own(cluster: TwoNodes, study_in: StudyIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same study by this machine's worker processes."""
    file = write_study(study_in, tmp_path_factory.mktemp("own") / "here")
    words = [sys.executable, "-m", "headstart", "run", str(file), "--quiet"]
    done = subprocess.run(words, env=cluster.head.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return file.parent / "out"


def check_same(out: Path, own: Path) -> None:
    """See that two folders hold the same results."""
    assert read_runs(out) == read_runs(own)
    assert len(read_bits(own)) >= 8
    assert read_bits(out) == read_bits(own)


def begin_on_ray(file: Path, cluster: TwoNodes) -> subprocess.Popen[str]:
    """A driver on the head."""
    words = [sys.executable, "-m", "headstart", "run", str(file), "--backend", "ray"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return cluster.head.begin(*words, "--address", cluster.address, **streams)


def wait_for(what: Callable[[], bool], driver: subprocess.Popen[str], seconds: float = 150.0) -> None:
    """Until it is so."""
    end = time.monotonic() + seconds
    while not what():
        assert driver.poll() is None, driver.communicate()[0]
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)


def is_training_on(node: RayNode) -> bool:
    """Whether one of the study's tasks runs there."""
    for process in node.list_processes():
        try:
            name = Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if "train_pack_in_task" in name:
            return True
    return False


def test_a_study_whose_node_is_killed_ends_as_one_of_this_machine_does(
    cluster: TwoNodes, study_in: StudyIn, own: Path, tmp_path: Path
) -> None:
    there = write_study(study_in, tmp_path / "there")
    out = there.parent / "out"
    driver = begin_on_ray(there, cluster)
    try:
        wait_for(lambda: is_training_on(cluster.worker) and any(out.rglob("state.safetensors")), driver)
        cluster.worker.kill()
        said, _ = driver.communicate(timeout=300)
    finally:
        driver.kill()
    assert driver.returncode == 0, said
    assert "was lost with its node" in said, said
    check_same(out, own)
    assert not (out / ".headstart" / "ray").exists()


def test_an_interrupted_study_leaves_no_task_and_goes_on_where_one_node_does_not_see_the_folder(
    cluster: TwoNodes, study_in: StudyIn, own: Path, tmp_path: Path
) -> None:
    there = write_study(study_in, tmp_path / "there")
    out = there.parent / "out"
    cluster.start_worker(hidden=there.parent)
    driver = begin_on_ray(there, cluster)
    try:
        wait_for(lambda: is_training_on(cluster.worker) and any(out.rglob("state.safetensors")), driver)
        driver.send_signal(signal.SIGINT)
        said, _ = driver.communicate(timeout=120)
        assert driver.returncode == 130, said
        assert not is_training_on(cluster.worker)
        assert not is_training_on(cluster.head)
        driver = begin_on_ray(there, cluster)
        said, _ = driver.communicate(timeout=300)
    finally:
        driver.kill()
    assert driver.returncode == 0, said
    assert "is not seen from" in said, said
    check_same(out, own)


def test_a_cluster_that_is_not_there_is_one_message(
    cluster: TwoNodes, study_in: StudyIn, tmp_path: Path
) -> None:
    file = write_study(study_in, tmp_path / "there")
    words = [sys.executable, "-m", "headstart", "run", str(file), "--backend", "ray", "--quiet"]
    done = cluster.head.run(*words, "--address", f"{cluster.head.address}:1", capture_output=True)
    assert done.returncode == 2, done.stdout
    assert "no Ray cluster answers" in done.stderr
    assert "Traceback" not in done.stderr
