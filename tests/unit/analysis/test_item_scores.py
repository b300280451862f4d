"""Items of arms become scores of seeds by items: the same items, groups and seeds; what lacks is counted."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headstart.analysis.item_scores import ItemScores, read_item_scores
from headstart.analysis.item_sources import NamedPath
from headstart.config.metrics import MetricInfo
from headstart.errors import HeadstartError
from others_results import make_log, make_sample, write_eval_log, write_lm_eval, write_samples

HEAD = "arm,seed,item,correct\n"


def read(folder: Path, text: str, **options: object) -> ItemScores:
    file = folder / "items.csv"
    file.write_text(text, encoding="utf-8")
    return read_item_scores([NamedPath(file)], **options)  # type: ignore[arg-type]


def table(scores: ItemScores, arm: str) -> list[list[float]]:
    """[S, N] of an arm."""
    (found,) = [arm_scores for arm_scores in scores.scores if arm_scores.arm == arm]
    return [list(np.asarray(found.measures[seed].by_example)) for seed in sorted(found.by_seed)]


def test_seeds_and_items_make_a_table(tmp_path: Path) -> None:
    rows = "".join(
        f"{a},{s},q{i},{(i + s + len(a)) % 2}\n" for a in ("a", "bb") for s in (4, 2) for i in range(3)
    )
    scores = read(tmp_path, HEAD + rows)
    assert scores.arms == ["a", "bb"]
    assert table(scores, "a") == [[1, 0, 1], [1, 0, 1]]
    assert table(scores, "bb") == [[0, 1, 0], [0, 1, 0]]
    first = scores.scores[0]
    assert first.by_seed == pytest.approx({2: 2 / 3, 4: 2 / 3})
    assert (first.n_examples, first.groups, scores.notes) == (3, None, ())
    assert len({arm_scores.test_digest for arm_scores in scores.scores}) == 1


def test_items_are_paired_by_name_and_not_by_place(tmp_path: Path) -> None:
    scores = read(tmp_path, HEAD + "a,0,x,1\na,0,y,0\nb,0,y,1\nb,0,x,0\n")
    assert (table(scores, "a"), table(scores, "b")) == ([[1, 0]], [[0, 1]])


def test_documents_of_lm_eval_are_paired_by_their_hash(tmp_path: Path) -> None:
    write_lm_eval(tmp_path / "a", [1.0, 0.0, 1.0])
    shuffled = [make_sample(9 - i, {"acc": float(i == 1)}, question=f"question {i}") for i in (2, 1, 0)]
    write_samples(tmp_path / "b" / "samples_arc_easy_2024-11-05T13-31-45.123456.jsonl", shuffled)
    scores = read_item_scores([NamedPath(tmp_path)], metric="acc")
    assert (table(scores, "a"), table(scores, "b")) == ([[1, 0, 1]], [[0, 1, 0]])
    assert scores.metric == MetricInfo("acc", lower_is_better=False, is_share=True)
    assert scores.task == "arc_easy"


def test_epochs_of_inspect_are_seeds(tmp_path: Path) -> None:
    for model in ("a", "b"):
        log = make_log(model, [{1: "C", 2: "I"}, {1: "I", 2: "C"}, {1: "C", 2: "C"}])
        write_eval_log(tmp_path / f"{model}.eval", log)
    scores = read_item_scores([NamedPath(tmp_path)])
    assert table(scores, "a") == [[1, 0], [0, 1], [1, 1]]
    assert scores.metric.is_share


def test_items_that_an_arm_lacks_are_counted_and_named(tmp_path: Path) -> None:
    text = HEAD + "a,0,x,1\na,0,y,0\na,0,z,1\nb,0,y,1\nb,0,x,0\nb,0,w,0\n"
    with pytest.raises(HeadstartError) as refused:
        read(tmp_path, text)
    assert "a lacks 1 (w); b lacks 1 (z)" in str(refused.value)
    assert "--shared-items, to compare only the 2 that all have" in str(refused.value)
    scores = read(tmp_path, text, shared_items=True)
    assert (table(scores, "a"), table(scores, "b")) == ([[1, 0]], [[0, 1]])
    assert scores.notes == (
        "Compared on 2 of 4 items, those that all arms have: a lacks 1 (w); b lacks 1 (z).",
    )


def test_an_item_without_a_score_lacks_as_well(tmp_path: Path) -> None:
    text = HEAD + "a,0,x,1\na,0,y,0\na,0,z,\nb,0,y,1\nb,0,x,0\nb,0,z,1\n"
    with pytest.raises(HeadstartError, match=r"a lacks 1 \(z\)"):
        read(tmp_path, text)


def test_an_item_has_to_be_there_with_each_seed(tmp_path: Path) -> None:
    text = HEAD + "".join(
        f"{a},{s},{i},1\n" for a in "ab" for s in (0, 1) for i in "xyz" if (a, s, i) != ("b", 1, "y")
    )
    with pytest.raises(HeadstartError, match=r"b lacks 1 \(y\)"):
        read(tmp_path, text)


def test_arms_without_a_shared_item_are_refused_whatever_is_asked(tmp_path: Path) -> None:
    text = HEAD + "a,0,x,1\na,0,y,0\nb,0,v,1\nb,0,w,0\n"
    with pytest.raises(HeadstartError, match=r"0 items that all arms have: a lacks 2 \(v, w\)"):
        read(tmp_path, text, shared_items=True)


def test_an_item_twice_is_refused(tmp_path: Path) -> None:
    text = "arm,item,correct\na,x,1\na,x,0\nb,x,1\n"
    with pytest.raises(HeadstartError, match=r"csv:3: a has item 'x' twice with seed 0, first at .*csv:2"):
        read(tmp_path, text)


def test_groups_are_numbered_and_those_of_one_item_are_none(tmp_path: Path) -> None:
    rows = "".join(
        f"{a},{i},{g},1\n" for a in "ab" for i, g in zip("wxyz", ("f", "g", "f", "g"), strict=True)
    )
    scores = read(tmp_path, "arm,item,group,correct\n" + rows)
    assert scores.scores[0].groups is not None
    assert scores.scores[0].groups.tolist() == [0, 1, 0, 1]
    single = "".join(f"{a},{i},g{i},1\n" for a in "ab" for i in "wxyz")
    assert read(tmp_path, "arm,item,group,correct\n" + single).scores[0].groups is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,x,f,1\na,y,g,1\nb,x,g,1\nb,y,g,1\n", "item 'x' is of group 'g', elsewhere of 'f'"),
        ("a,x,f,1\na,y,f,1\nb,x,f,1\nb,y,f,1\n", "all 2 items are of group 'f'"),
    ],
)
def test_groups_that_cannot_be_used_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(HeadstartError, match=message):
        read(tmp_path, "arm,item,group,correct\n" + rows)


def test_runs_without_a_shared_seed_are_not_paired(tmp_path: Path) -> None:
    rows = "".join(
        f"{a},{s},{i},{s % 2}\n" for a, seeds in (("a", (1, 2)), ("b", (3, 4))) for s in seeds for i in "xy"
    )
    scores = read(tmp_path, HEAD + rows)
    assert [list(arm_scores.by_seed) for arm_scores in scores.scores] == [[1, 2], [3, 4]]
    assert scores.notes == ("No seed is common to all arms, so runs are not paired on these items.",)
    single = read(tmp_path, HEAD + "a,1,x,1\na,1,y,0\nb,7,x,0\nb,7,y,0\n")
    assert single.notes == ()
    assert [list(arm_scores.by_seed) for arm_scores in single.scores] == [[0], [0]]


def test_percentages_of_items_are_shares(tmp_path: Path) -> None:
    scores = read(tmp_path, HEAD + "a,0,x,100\na,0,y,0\nb,0,x,50\nb,0,y,25\n")
    assert (table(scores, "a"), table(scores, "b")) == ([[1, 0]], [[0.5, 0.25]])


def test_truth_values_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text(
        '{"arm": "a", "item": 1, "correct": true}\n{"arm": "a", "item": 2, "correct": false}\n'
        '{"arm": "b", "item": 1, "correct": false}\n{"arm": "b", "item": 2, "correct": false}\n',
        encoding="utf-8",
    )
    scores = read_item_scores([NamedPath(file)])
    assert (table(scores, "a"), table(scores, "b")) == ([[1, 0]], [[0, 0]])


def test_parts_of_a_corpus_metric_are_refused(tmp_path: Path) -> None:
    """lm-evaluation-harness keeps label and prediction under `f1`."""
    for model in "ab":
        samples = [make_sample(i, {"f1": [1, 0]}) for i in range(2)]
        write_samples(tmp_path / model / "samples_t_2024-11-05T13-31-45.1.jsonl", samples)
    with pytest.raises(
        HeadstartError, match=r"f1 of item .* is not a number but '\[1, 0\]'[\s\S]*corpus metric"
    ):
        read_item_scores([NamedPath(tmp_path)])


def test_a_metric_that_is_not_known_has_to_be_said(tmp_path: Path) -> None:
    text = "arm,item,score\na,x,1\na,y,0\nb,x,1\nb,y,3.5\n"
    with pytest.raises(HeadstartError, match=r"metric 'score' is not known"):
        read(tmp_path, text)
    scores = read(tmp_path, text, lower_is_better=True)
    assert scores.metric == MetricInfo("score", lower_is_better=True, is_share=False)


def test_a_filters_metric_is_known_by_its_name(tmp_path: Path) -> None:
    for model in "ab":
        samples = [
            make_sample(i, {"exact_match": 1.0}, name=name)
            for name in ("strict-match", "flexible-extract")
            for i in (0, 1)
        ]
        write_samples(tmp_path / model / "samples_gsm8k_2024-11-05T13-31-45.1.jsonl", samples)
    scores = read_item_scores([NamedPath(tmp_path)], metric="exact_match,strict-match")
    assert scores.metric == MetricInfo("exact_match,strict-match", lower_is_better=False, is_share=True)


@pytest.mark.parametrize("has_seeds", [False, True])
def test_joined_arrays_hold_what_pandas_joins(tmp_path: Path, has_seeds: bool) -> None:
    """Rows in another order in each file, scores as people write them, groups, items that one arm lacks."""
    draws, tables = np.random.default_rng(3), {}
    for arm, count in (("a", 400), ("b", 390)):
        table = pd.DataFrame({"item": [f"q\u00e9{i % 400}" for i in range(count)]})
        table["group"] = [f"film {int(name[2:]) // 7}" for name in table["item"]]
        if has_seeds:
            table = pd.concat([table.assign(seed=seed) for seed in (4, 1)])
        table["accuracy"] = draws.integers(0, 3, len(table)) / 2
        tables[arm] = table.sample(frac=1, random_state=1)
        tables[arm].to_csv(tmp_path / f"{arm}.csv", index=False)
    read = read_item_scores([NamedPath(tmp_path / f"{arm}.csv") for arm in tables], shared_items=True)
    order = list(dict.fromkeys(name for table in tables.values() for name in _list_by_seed(table)))
    shared = [name for name in order if all(name in set(table["item"]) for table in tables.values())]
    for scores, table in zip(read.scores, tables.values(), strict=True):
        for seed, measure in scores.measures.items():
            rows = (table[table["seed"] == seed] if has_seeds else table).set_index("item")
            assert measure.by_example is not None
            assert measure.by_example.tolist() == rows.loc[shared, "accuracy"].tolist()
            assert scores.by_seed[seed] == np.array(rows.loc[shared, "accuracy"].tolist()).mean()
        names = tables["a"].drop_duplicates("item").set_index("item").loc[shared, "group"]
        assert scores.groups is not None
        assert scores.groups.tolist() == names.astype("category").cat.codes.tolist()
        assert scores.test_digest == hashlib.sha256("\0".join(shared).encode()).hexdigest()
    assert "b lacks 10" in " ".join(read.notes)


def _list_by_seed(table: pd.DataFrame) -> list[str]:
    """Items run by run, in the order of the runs' first rows."""
    if "seed" not in table:
        return list(table["item"])
    return [name for seed in table["seed"].unique() for name in table[table["seed"] == seed]["item"]]


def test_many_items_take_no_object_each(tmp_path: Path) -> None:
    """30,000 items of two arms within 24 MB; rows and values as objects took more than 50."""
    for arm in "ab":
        rows = "".join(f"{i},{i % 3 // 2}\n" for i in range(30_000))
        (tmp_path / f"{arm}.csv").write_text(f"item,accuracy\n{rows}")
    tracemalloc.start()
    read_item_scores([NamedPath(tmp_path / f"{arm}.csv") for arm in "ab"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24e6


def test_words_beside_scores_are_no_metric_and_cost_little(tmp_path: Path) -> None:
    rows = "".join(f"{i},1,{'word ' * 1000}{i}\n" for i in range(100))
    (tmp_path / "a.csv").write_text(f"item,accuracy,answer\n{rows}")
    (tmp_path / "b.csv").write_text(f"item,accuracy,answer\n{rows}".replace(",1,", ",0,"))
    read = read_item_scores([NamedPath(tmp_path / f"{arm}.csv") for arm in "ab"])
    assert (read.metric.name, [dict(s.by_seed) for s in read.scores]) == ("accuracy", [{0: 1.0}, {0: 0.0}])
    with pytest.raises(HeadstartError, match=r"a\.csv has no metric|a has no metric 'answer'"):
        read_item_scores([NamedPath(tmp_path / f"{arm}.csv") for arm in "ab"], metric="answer")
