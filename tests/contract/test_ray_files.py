"""The files of docs/ray can be read by those they are for, as far as that is known without their clusters."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "ray"
#: The fields that KubeRay's API reference has for a RayJob, a cluster and a worker group.
JOB = {"entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "rayClusterSpec"}
CLUSTER = {"rayVersion", "headGroupSpec", "workerGroupSpecs"}
GROUP = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}


def _read_job() -> dict[str, Any]:
    job: dict[str, Any] = YAML(typ="safe").load(FOLDER / "rayjob.yaml")
    return job


def test_the_batch_script_is_one_of_bash() -> None:
    done = subprocess.run(
        ["bash", "-n", FOLDER / "study.sbatch"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_job_has_the_fields_of_a_ray_job() -> None:
    job = _read_job()
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["spec"].keys() <= JOB
    assert job["spec"]["rayClusterSpec"].keys() <= CLUSTER
    assert all(group.keys() <= GROUP for group in job["spec"]["rayClusterSpec"]["workerGroupSpecs"])


def test_the_job_has_the_pinned_ray_and_one_folder_for_all_pods() -> None:
    cluster = _read_job()["spec"]["rayClusterSpec"]
    pinned = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned is not None
    assert cluster["rayVersion"] == pinned[1]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        names = {volume["name"] for volume in pod["volumes"]}
        mounts = [mount for container in pod["containers"] for mount in container["volumeMounts"]]
        assert {(mount["name"], mount["mountPath"]) for mount in mounts} == {("studies", "/studies")}
        assert names == {"studies"}
