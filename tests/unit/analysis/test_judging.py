"""What verdicts go by: looks before, when a margin was stated, who shares the chance to err."""

from __future__ import annotations

import pytest

from headstart.analysis.judging import choose_judging, find_margin, list_earlier_looks
from headstart.analysis.study_runs import order_runs
from headstart.records import Look, StoppingRule
from headstart.stats.looks import compute_look_alpha
from studies import make_record, make_study


def look(n_seeds: int, margin: float | None = None) -> Look:
    """One with the seeds from 0."""
    return Look(time="2026-01-01T00:00:00+00:00", seeds=tuple(range(n_seeds)), headstart="1", margin=margin)


LOOKS = (look(1), look(3), look(5), look(8))


@pytest.mark.parametrize(("n_seeds", "earlier"), [(8, (3, 5)), (10, (3, 5, 8))])
def test_looks_that_could_give_a_verdict_count(n_seeds: int, earlier: tuple[int, ...]) -> None:
    """With one seed nothing can be decided. The look at these seeds is the present one."""
    assert tuple(len(look.seeds) for look in list_earlier_looks(LOOKS, range(n_seeds))) == earlier


def test_as_many_seeds_that_are_others_are_another_look() -> None:
    assert list_earlier_looks(LOOKS, (0, 1, 2, 3, 9)) == (look(3), look(5), look(8))


@pytest.mark.parametrize(
    ("margins", "stated"),
    [
        ((), "before the results"),
        ((1.0, 1.0), "before the results"),
        ((None,), "after the results"),
        ((1.0, 2.0), "after the results"),
    ],
)
def test_a_margin_is_an_afterthought_where_a_look_had_another(
    margins: tuple[float | None, ...], stated: str
) -> None:
    looks = [look(3 + i, margin) for i, margin in enumerate(margins)]
    found = find_margin(make_study(margin=1.0), "accuracy", looks)
    assert found is not None
    assert (found.value, found.stated) == (1.0, stated)
    assert find_margin(make_study(margin=1.0), "loss", looks) is None
    assert find_margin(make_study(), "accuracy", looks) is None


def test_a_study_that_grew_has_less_chance_to_err_and_one_that_a_rule_made_grow_its_sequence() -> None:
    study = make_study(seeds=8)
    runs = order_runs(study, [make_record("pretrained", 0, 0.5)])
    assert choose_judging(runs, "accuracy", None, None).alpha == pytest.approx(0.05)
    grown = choose_judging(runs, "accuracy", None, None, LOOKS)
    assert (grown.n_looks, grown.alpha) == (3, compute_look_alpha(3))
    rule = StoppingRule(metric="accuracy", width=1.0, most_seeds=20, sequence="t")
    added = choose_judging(runs, "accuracy", None, rule, LOOKS)
    assert added.alpha == pytest.approx(0.05)
    assert (added.n_looks, added.sequence) == (1, "t")


def test_metrics_beside_the_studys_share_the_chance_to_err_whether_seeds_were_added_or_not() -> None:
    runs = order_runs(make_study(seeds=1), [make_record("pretrained", 0, 0.5)])
    rule = StoppingRule(metric="accuracy", width=1.0, most_seeds=20)
    for given in (None, rule):
        assert choose_judging(runs, "accuracy", None, given).n_metrics == 1
        assert choose_judging(runs, "loss", None, given).n_metrics == 2
