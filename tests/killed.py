"""Runs a study by the device's engine and, at the end of an epoch, dies as a machine does: `run_elsewhere`.

Arguments: the study's file, the device, and the epoch; 0 to run it to the end. Every state is kept.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import torch


def main(file: str, device: str, epoch: int) -> int:
    """Give the command's own exit code, if it comes to that."""
    from device_packs import use_device_engine
    from headstart.cli import main as run
    from headstart.training import resume

    resume.SAVE_INTERVAL, resume.MAX_TIME_SHARE = 0.0, float("inf")
    if epoch:
        _die_at(epoch)
    with use_device_engine(torch.device(device)):
        return run(["run", file])


def _die_at(epoch: int) -> None:
    """Before the state of this epoch is kept, so that the one before it is resumed."""
    from headstart.events import EpochDone, Event
    from headstart.training.curves import Curves

    curves: Any = Curves
    on_event = curves.on_event

    def listen(self: Any, event: Event) -> None:
        on_event(self, event)
        if isinstance(event, EpochDone) and event.epoch.epoch == epoch:
            os.kill(os.getpid(), signal.SIGKILL)

    curves.on_event = listen


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
