"""A pack is kept while it makes headway; what several workers ended with is tried with more care."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from headstart import HeadstartError, load_study
from headstart.config.runs import Pack, expand_runs
from headstart.events import Event, RunEnded
from headstart.execute.open_queue import OpenQueue
from headstart.execute.queued_packs import adopt_packs, describe_pack
from headstart.execute.taken_pack import QUIET_SECONDS, Pace, TakenPack, begin_pack
from headstart.records.queue import PackList, QueuedPack, QueuedRun, QueueManifest, identify_pack
from headstart.store.lease import take_lease
from headstart.store.pack_queue import LeasedPack
from headstart.store.queue_files import PACK_LEASE, QueueFiles
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]
WORDS = {"words": {"method": "bag-of-words"}}


def test_a_pack_lives_until_its_deadline_and_then_while_steps_are_made() -> None:
    now = [0.0]
    pace = Pace(1000.0, lambda: now[0])
    now[0] = 1000.0
    assert pace.lives
    now[0] = 1001.0
    assert not pace.lives
    pace.hear()
    assert pace.lives
    now[0] += QUIET_SECONDS + 1
    assert not pace.lives
    pace.restart()
    assert pace.lives


class _Queue:
    """A study of three bags of words as one pack, and a queue that is empty."""

    def __init__(self, file: Path) -> None:
        study = load_study(file)
        self.runs = expand_runs(study)
        store = RunStore(Path(study.out))
        store.open_study(study)
        self.files = QueueFiles(store)
        self.files.folder.mkdir()
        self.open = OpenQueue(study, store, prepare_study(study, self.runs), self.files)
        self.pack, self.ended, self.said = Pack(self.runs), list[RunEnded](), list[str]()

    @contextmanager
    def take(self, pack: Pack, lost: int) -> Iterator[TakenPack]:
        """The pack, after so many holders that did not end it."""
        queued, pace = describe_pack(pack), Pace(600.0)
        folder = self.files.lease_folder(queued.id)
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            fence = stack.enter_context(take_lease(folder, PACK_LEASE, [], stale=60.0, lost=lost, pulse=pace))
            assert fence is not None
            leased = LeasedPack(queued, 1, fence, pace, lost, self.files, stack)
            yield begin_pack(leased, pace, self.open, self._hear, self.said.append)

    def _hear(self, event: Event) -> None:
        assert isinstance(event, RunEnded)
        self.ended.append(event)


@pytest.fixture
def queue(study_file: StudyFile) -> _Queue:
    return _Queue(study_file(arms=WORDS, seeds=[0, 1, 2]))


@pytest.mark.parametrize(("lost", "sizes"), [(0, [3]), (2, [3]), (3, [1, 2]), (5, [1, 2]), (6, [])])
def test_what_workers_ended_with_is_halved_and_then_given_up(
    queue: _Queue, lost: int, sizes: list[int]
) -> None:
    with queue.take(queue.pack, lost) as taken:
        assert sorted(len(part.runs) for part in taken.parts) == sizes
    assert len(queue.ended) == (0 if sizes else 3)
    assert all(event.record.status == "failed" for event in queue.ended)


def test_a_run_alone_is_given_up_and_says_why(queue: _Queue) -> None:
    with queue.take(Pack(queue.runs[:1]), 3) as taken:
        assert not taken.parts
    (event,) = queue.ended
    assert "3 workers ended while they had it" in str(event.record.error)


def test_what_an_earlier_holder_finished_stays(queue: _Queue) -> None:
    with queue.take(Pack(queue.runs[:1]), 3):
        pass
    record = queue.ended[0].record.model_copy(update={"status": "done", "error": None})
    queue.open.store.write_record(record)
    with queue.take(queue.pack, 1) as taken:
        assert [run.key for part in taken.parts for run in part.runs] == [run.key for run in queue.runs[1:]]


def test_a_run_that_the_study_does_not_have_is_refused(queue: _Queue) -> None:
    run = QueuedRun(arm="../../words", size="all", seed=0)
    queued = QueuedPack(id=identify_pack([run.key]), runs=(run,), deadline=600.0)
    with pytest.raises(HeadstartError, match="a pack names a run that the study does not have") as caught:
        queue.open.find_pack(queued)
    assert "\n" not in caught.value.got


def test_packs_in_hand_of_an_earlier_queue_are_kept_as_they_are(queue: _Queue) -> None:
    earlier = describe_pack(Pack(queue.runs[:2]))
    gone = describe_pack(Pack(queue.runs[2:]))
    packs = PackList(queue="0" * 16, threads=1, packs=(earlier, gone))
    queue.files.write_list(1, packs)
    queue.files.write_manifest(
        QueueManifest(
            queue="0" * 16,
            state="open",
            study="0" * 64,
            data="",
            precision="fp32",
            stale_seconds=60.0,
            lists=1,
        )
    )
    given_back = queue.files.lease_folder(gone.id)
    given_back.mkdir(parents=True)
    (given_back / "pack.1.free").touch()
    with queue.take(Pack(queue.runs[:2]), 0) as taken:
        adopted = adopt_packs([queue.pack], queue.files, queue.said.append)
        assert taken.leased.fence.is_held
    keys = [[run.key for run in pack.runs] for pack in adopted]
    assert keys == [[run.key for run in queue.runs[:2]], [queue.runs[2].key]]
    assert given_back.exists(), "it is planned again, as it was"
