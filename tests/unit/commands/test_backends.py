"""What trains a study is checked before its folder is touched."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart import load_study, run
from headstart.errors import HeadstartError, MissingExtraError

StudyFile = Callable[..., Path]


@pytest.fixture
def words(study_file: StudyFile) -> Callable[..., Path]:
    """A study of one bag of words."""
    return lambda **changes: study_file(arms={"words": {"method": "bag-of-words"}}, **changes)


def test_an_address_without_ray_is_refused(words: StudyFile) -> None:
    study = load_study(words())
    with pytest.raises(HeadstartError) as caught:
        run(study, address="10.0.0.1:6379")
    assert caught.value.where == "--address"
    assert not Path(study.out).exists()


def test_an_unknown_backend_is_refused(words: StudyFile) -> None:
    unknown: Any = "slurm"
    with pytest.raises(HeadstartError, match="slurm") as caught:
        run(load_study(words()), backend=unknown)
    assert caught.value.expected == "local or ray"


def test_this_process_is_no_cluster(words: StudyFile) -> None:
    study = load_study(words(workers=0))
    with pytest.raises(HeadstartError, match="workers: 0 trains in this process") as caught:
        run(study, backend="ray")
    assert caught.value.where == "--backend ray"
    assert not Path(study.out).exists()


@pytest.mark.parametrize("others", [{"backend": "ray"}, {"local_workers": False}], ids=["ray", "queue"])
def test_several_processes_train_one_model_on_this_machine_alone(
    study_file: StudyFile, others: dict[str, Any]
) -> None:
    study = load_study(study_file(arms={"a": {}}, workers=1, parallel={"kind": "ddp", "processes": 2}))
    with pytest.raises(HeadstartError, match="parallel trains one model by processes of this machine"):
        run(study, **others)
    assert not Path(study.out).exists()


@pytest.mark.parametrize(
    ("elsewhere", "option"),
    [({"backend": "ray"}, "--backend ray"), ({"local_workers": False}, "--no-local-workers")],
    ids=["ray", "workers"],
)
def test_processes_elsewhere_train_no_model_together(
    words: StudyFile, elsewhere: dict[str, Any], option: str
) -> None:
    study = load_study(words(workers=1, parallel={"kind": "ddp", "processes": 2}))
    with pytest.raises(HeadstartError) as caught:
        run(study, **elsewhere)
    assert (caught.value.got, caught.value.where) == (
        "parallel trains one model by processes of this machine",
        option,
    )
    assert not Path(study.out).exists()


def test_without_ray_the_extra_is_named(words: StudyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **how: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return real(name, *args, **how)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    study = load_study(words(workers=1))
    with pytest.raises(MissingExtraError, match="--backend ray needs the package 'ray'") as caught:
        run(study, backend="ray")
    assert caught.value.fix is not None
    assert "'.[ray]'" in caught.value.fix
    assert not Path(study.out).exists()  # nothing was written, and nothing is left
