"""What goes to a cluster with a pack: its training state where it is needed, its needs, and its leases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headstart import load_study
from headstart.config.runs import Pack, expand_runs
from headstart.execute.ray.calls import Needs
from headstart.execute.ray.marked_folder import mark_folder
from headstart.execute.ray.orders import Orders
from headstart.planning.placement import Placement
from headstart.store.fences import Fences, withdraw
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study
from ray_stand_in import StandIn

StudyFile = Callable[..., Path]


@pytest.mark.parametrize("sends_states", [True, False])
def test_a_state_goes_along_where_a_node_may_not_see_it(study_file: StudyFile, *, sends_states: bool) -> None:
    study, cluster = load_study(study_file(arms={"words": {"method": "bag-of-words"}})), StandIn()
    runs, store = expand_runs(study), RunStore(Path(study.out))
    state = store.get_state_folder(runs[0].key) / "state.safetensors"
    state.parent.mkdir(parents=True)
    state.write_bytes(b"state")
    with mark_folder(store) as token:
        prepared = prepare_study(study, runs)
        orders = Orders(cluster, prepared, store, token, 5.0, on_gpu=False, sends_states=sends_states)
        flight = orders.send_pack(Pack(runs[:1]), Placement(1, 2, ""), 7)
        order = cluster.tasks[0].order
        assert (order.states is not None) is sends_states
        assert (flight.needs, cluster.tasks[0].needs) == (Needs(2, 0, 7), Needs(2, 0, 7))
        fences = order.store.fence
        assert isinstance(fences, Fences)
        assert fences.is_held
        withdraw(flight.fence)
        assert not fences.is_held
    assert not store.ray_folder.exists()
