"""Closing words of every kind of study: five sentences at most, none of which its interval contradicts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from headstart.analysis.findings import Findings, make_findings
from headstart.commands.compare import compare
from headstart.records import Contrast, Margin, StoppingRule
from headstart.report.closing import MOST_SENTENCES, Ranked, choose_closing
from headstart.report.conclusions import (
    close_comparison,
    close_study,
    draw_conclusions,
    explain_comparison,
)
from headstart.report.intervals import NO_USEFUL_INTERVAL
from headstart.report.study_summary import render_results_table
from studies import findings_of, make_record, make_study, rendered_lines

#: By arm the mean and how far apart its seeds are.
LEVELS: dict[str, tuple[tuple[float, float], ...]] = {
    "clear": ((0.9, 0.01), (0.6, 0.02), (0.7, 0.015)),
    "worse": ((0.5, 0.01), (0.8, 0.02), (0.97, 0.005)),
    "open": ((0.7, 0.2), (0.72, 0.18), (0.69, 0.1)),
    "equal": ((0.8, 0.0), (0.8, 0.0), (0.8, 0.0)),
    "apart": ((0.95, 0.0), (0.1, 0.0), (0.5, 0.0)),
}
RULE = StoppingRule(metric="accuracy", width=2.0, most_seeds=12)
_ASSERTS = re.compile(r" beats | is worse than |Better than |Worse than ")
_ANSWERS = re.compile(
    r" beats | is worse than |Better than |Worse than |No clear difference|differ by less|not worse than"
    r"|Within | with every seed: ",
    re.IGNORECASE,
)
_EVIDENCE = re.compile(r"[+-]\d+\.\d+ to [+-]\d+\.\d+|no useful interval|no interval|one seed")


def list_studies() -> Iterator[tuple[str, int, int, list[Any], float | None, bool]]:
    """Levels, further arms, seeds, sizes, a margin, and whether seeds were added by a rule."""
    sizes: tuple[list[Any], ...] = (["all"], [64, 256])
    yield from product(LEVELS, (0, 3), (1, 2, 3, 9), sizes, (None, 30.0), (False, True))


def find(
    level: str, more_arms: int, n_seeds: int, sizes: list[Any], margin: float | None, has_rule: bool
) -> Findings:
    """Findings of a study with a pretrained arm, a control, a bag of words, and further pretrained arms."""
    arms: dict[str, Any] = {
        "pretrained": {},
        "random": {"init": "random"},
        "words": {"method": "bag-of-words"},
    }
    arms |= {f"more{i}": {} for i in range(more_arms)}
    means = dict(zip(arms, LEVELS[level] + LEVELS[level][:1] * more_arms, strict=True))
    runs = [
        make_record(arm, seed, mean + spread * ((seed * 7 + i) % 5 - 2) / 2, size=size)
        for size in sizes
        for i, (arm, (mean, spread)) in enumerate(means.items())
        for seed in range(n_seeds)
    ]
    study = make_study(arms=arms, seeds=n_seeds, sizes=sizes, margin=margin, control="random")
    return make_findings(study, runs, (), stopping_rule=RULE if has_rule else None)


@pytest.mark.parametrize("level", LEVELS)
def test_closing_words_keep_to_what_is_known(level: str) -> None:
    for case in list_studies():
        if case[0] == level:
            found = find(*case)
            check_sentences(close_study(found), several_sizes=len(case[3]) > 1)
            check_verdicts(draw_conclusions(found), (*found.contrasts, *found.baseline_contrasts), found)
            assert set(close_study(found)) <= set(draw_conclusions(found))


def check_sentences(sentences: list[str], *, several_sizes: bool) -> None:
    """Few, named by size, with evidence, none against its interval, in the right singular and plural."""
    assert 0 < len(sentences) <= MOST_SENTENCES, sentences
    assert len(set(sentences)) == len(sentences)
    for sentence in sentences:
        if _ANSWERS.search(sentence):
            assert _EVIDENCE.search(sentence), sentence
            assert not several_sizes or "training examples" in sentence, sentence
        if _ASSERTS.search(sentence) and " to " in sentence:
            for low, high in re.findall(r"([+-]\d+\.\d+) to ([+-]\d+\.\d+)", sentence):
                assert not float(low) < 0 < float(high), sentence
        assert not re.search(r"(?<![\d.])1 (points|seeds|labels|examples)\b", sentence), sentence
        assert not re.search(r"[+-]?1\d\d\.\d points|under \d+ to over", sentence), sentence


def check_verdicts(sentences: list[str], rows: tuple[Contrast, ...], found: Findings) -> None:
    """Each contrast at the largest size is told with its own verdict."""
    for row in rows:
        if row.metric != "accuracy" or row.size != found.study.sizes[-1] or found.margin is not None:
            continue
        told = [s for s in sentences if _ANSWERS.search(s) and s.startswith(f"{row.arm} ")]
        if row.verdict == "undecided":
            assert not any(f"{row.arm} beats {row.control}" in s for s in told)
        low, high = row.family_low, row.family_high
        if found.stopping_rule is None and low is not None and high is not None and low <= 0 <= high:
            assert row.verdict == "undecided"
            assert row.p_adjusted is not None
            assert row.p_adjusted >= 0.05


def test_several_arms_share_a_sentence_for_each_verdict() -> None:
    first, *_ = close_study(find("clear", 3, 9, [64, 256], None, False))
    assert first.startswith(
        "Better than random with 256 training examples (59.8% accuracy; intervals of 95% for all 10 "
    )
    assert "and 2 more" in first
    assert len(re.findall(r"\+\d+\.\d points \(\+\d+\.\d to \+\d+\.\d\)", first)) == 3


def test_the_bag_of_words_is_compared_with_an_interval() -> None:
    """ "pretrained does not beat the bag of words (words): 72.9 against 100.0" had none."""
    shown = close_study(find("worse", 0, 3, ["all"], None, False))
    (sentence,) = (s for s in shown if "bag of words" in s)
    assert re.match(
        r"pretrained is worse than the bag of words \(words\) by \d+\.\d points.*: 50\.\d% vs 97\.\d% "
        r"accuracy \(95% interval -\d+\.\d to -\d+\.\d; 3 seeds\)\.",
        sentence,
    )


def test_baselines_are_a_family_of_their_own() -> None:
    alone, found = find("open", 0, 3, ["all"], None, False), find("open", 3, 3, [64, 256], None, False)
    assert [row.n_tests for row in alone.baseline_contrasts] == [1]
    assert {row.size for row in found.baseline_contrasts} == {256}
    assert {row.n_tests for row in found.baseline_contrasts} == {4}
    assert found.to_dict()["baseline_contrasts"][0]["control"] == "words"


def test_two_seeds_without_a_useful_interval_say_so_in_table_and_words() -> None:
    means = {"pretrained": (0.95, 0.1), "random": (0.6, 0.7)}
    found = findings_of(means)
    assert f"({NO_USEFUL_INTERVAL}; 2 seeds)" in close_study(found)[0]
    assert "Two seeds are too few for a useful interval; use seeds=3 or more." in close_study(found)
    lines = rendered_lines(render_results_table(found))
    assert any(f"({NO_USEFUL_INTERVAL}) undecided" in line for line in lines)
    assert not any("100.0," in line for line in lines)
    row = found.contrasts[0]
    assert row.low is not None
    assert row.high is not None
    assert -1 < row.low < row.low + 1.5 < row.high < 1, "JSON keeps the numbers"


def test_a_margin_stated_after_the_results_is_said_beside_the_verdict() -> None:
    found = find("clear", 0, 9, ["all"], 99.0, False)
    assert found.margin is not None
    after = replace(found, margin=Margin(value=99.0, stated="after the results"))
    assert "less than 99 points (a margin stated after the results)" in close_study(after)[0]


def test_the_table_says_for_which_training_texts_verdicts_hold() -> None:
    found = find("clear", 0, 3, ["all"], None, False)
    assert "Verdicts hold for these training examples" in " ".join(
        rendered_lines(render_results_table(found))
    )
    assert not any(
        "Verdicts hold" in sentence for sentence in choose_closing([*map(rank, close_study(found))])[:2]
    )


def rank(text: str) -> Ranked:
    return Ranked(0, text)


def test_of_many_sentences_those_that_matter_stay_in_their_order() -> None:
    ranked = [Ranked(number % 4, f"{number}.") for number in range(9)]
    assert choose_closing(ranked) == ["0.", "1.", "4.", "5.", "8."]
    assert choose_closing(ranked, "add --all") == ["0.", "1.", "4.", "8.", "5 more: add --all."]
    assert choose_closing(ranked[:5], "add --all") == ["0.", "1.", "2.", "3.", "4."]


@pytest.mark.parametrize("n_seeds", [1, 2, 3, 6])
@pytest.mark.parametrize("level", ["clear", "open", "apart"])
def test_a_comparison_closes_with_five_sentences_too(tmp_path: Path, level: str, n_seeds: int) -> None:
    file = tmp_path / "scores.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["arm", "size", "seed", "accuracy"])
        for size, seed in product((64, 256), range(n_seeds)):
            for i, (mean, spread) in enumerate(LEVELS[level]):
                writer.writerow(
                    ["abc"[i], size, seed, round(mean + spread * ((seed * 7 + i) % 5 - 2) / 2, 4)]
                )
    made = compare(file)
    shown, every = close_comparison(made, "add --all"), explain_comparison(made)
    check_sentences(shown, several_sizes=True)
    assert all(sentence in every for sentence in shown if not sentence.endswith("more: add --all."))
    if n_seeds < 3 and level != "clear":
        assert sum("seeds=3 or more" in sentence for sentence in every) == 1, "not once a size"
