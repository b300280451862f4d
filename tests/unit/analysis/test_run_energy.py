"""Energy of several runs is told where all of them have it, of each its own part."""

from __future__ import annotations

import pytest

from headstart.analysis.run_energy import list_own_joules
from headstart.records import Energy, Execution, RunRecord

PLAIN = RunRecord(arm="a", size="all", seed=0, status="done", train_examples=9)
METERED = PLAIN.model_copy(update={"energy": Energy(processor_joules=6, gpu_joules=2)})
TOGETHER = Execution(device="cpu", precision="fp32", threads=1, workers=1, pack_size=4)
IN_A_PACK = METERED.model_copy(update={"execution": TOGETHER})


@pytest.mark.parametrize(
    ("records", "joules"),
    [([METERED, IN_A_PACK], [8.0, 2.0]), ([METERED, PLAIN], []), ([PLAIN], []), ([], [])],
)
def test_of_each_run_or_of_none(records: list[RunRecord], joules: list[float]) -> None:
    assert list_own_joules(records) == joules
