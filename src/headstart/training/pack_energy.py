"""The energy of a pack: its part of what the machine's counters say while it trains; guesses nothing."""

from __future__ import annotations

from headstart import cuda
from headstart.device import choose_device
from headstart.energy import EnergyMeter, find_packages
from headstart.prepared import PreparedRun
from headstart.records import Energy


def make_meter(run: PreparedRun) -> EnergyMeter:
    """Of this machine's processors, and of the GPU where such a run computes on one."""
    device = choose_device(run.study.study.device)
    is_on_gpu = device.type != "cpu" and run.method.has_checkpoint
    return EnergyMeter(find_packages(), cuda.read_joules if is_on_gpu else lambda: None)


def measure_energy(meter: EnergyMeter, workers: int) -> Energy | None:
    """Of processes that train at once each has an equal part of what the counters say of what they share.

    Counters know machines and no processes: what else worked there meanwhile is in it, and so is what idles.
    Where fewer than `workers` trained at once, as at a study's end, the parts make less than the whole.
    """
    processor, gpu = meter.read_processor(), meter.read_gpu()
    if processor is None and gpu is None:
        return None
    sharing = -(-workers // max(1, cuda.count_gpus()))
    return Energy(
        processor_joules=None if processor is None else processor / max(1, workers),
        gpu_joules=None if gpu is None else gpu / max(1, sharing),
    )
