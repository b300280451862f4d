"""Findings and comparisons in sentences that a person can repeat."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headstart.analysis.comparison import Comparison
from headstart.analysis.findings import Findings, make_findings
from headstart.config.metrics import describe_metric
from headstart.records import Contrast, Look, Margin, StoppingRule, WorthRow
from headstart.report.conclusions import (
    describe_training_texts,
    draw_conclusions,
    explain_comparison,
    format_verdict,
)
from headstart.report.intervals import select_interval
from studies import findings_of, make_record, make_study

RULE = StoppingRule(metric="accuracy", width=2.0, most_seeds=12)


def contrast(**changes: Any) -> Contrast:
    """A contrast of three seeds that is clearly above zero."""
    values: dict[str, Any] = {
        "arm": "pretrained",
        "control": "random",
        "size": "all",
        "metric": "accuracy",
        "n_seeds": 3,
        "test_examples": 2000,
        "difference": 0.17,
        "low": 0.1,
        "high": 0.24,
        "n_tests": 1,
        "family_low": 0.1,
        "family_high": 0.24,
        "p": 0.01,
        "p_adjusted": 0.01,
        "verdict": "better",
        "seeds_low": 0.1,
        "seeds_high": 0.24,
        "bootstrap_low": None,
        "bootstrap_high": None,
        "sequence_low": None,
        "sequence_high": None,
        "p_sign_flip": 0.25,
        "min_p": 0.25,
        "fiducial_prob_better": 0.99,
        "limiting_factor": "seeds",
        "each_seed": (),
    }
    return Contrast.model_validate(values | changes)


def with_contrast(**changes: Any) -> Findings:
    """The laboratory's findings, with this contrast in place of theirs."""
    return replace(findings_of(), contrasts=(contrast(**changes),))


def comparison(*contrasts: Contrast, rule: StoppingRule | None = None) -> Comparison:
    return Comparison(
        "runs/x", describe_metric("accuracy"), "random", None, (), (), contrasts, stopping_rule=rule
    )


def test_a_clear_difference_is_told_with_its_interval() -> None:
    assert draw_conclusions(findings_of()) == [
        "pretrained beats random by 17.2 points: 80.7% vs 63.5% accuracy (95% interval "
        "+9.3 to +25.1; 3 seeds).",
        "Verdicts hold for these training examples.",
    ]


def test_known_test_examples_are_counted() -> None:
    (sentence,) = draw_conclusions(with_contrast())
    assert sentence.endswith("(95% interval +10.0 to +24.0; 3 seeds and 2,000 test examples).")


def test_groups_of_test_examples_are_counted() -> None:
    (sentence,) = draw_conclusions(with_contrast(test_groups=40))
    assert sentence.endswith("3 seeds and 2,000 test examples in 40 groups).")
    few = draw_conclusions(with_contrast(test_groups=8))
    assert few[-1].startswith("Intervals are based on few groups of test examples (8)")


def test_groups_of_a_comparison_are_explained() -> None:
    notes = explain_comparison(comparison(contrast(test_groups=8)))
    assert any(note.startswith("Test examples are in 8 groups") for note in notes)
    assert any(note.startswith("Intervals are based on few groups") for note in notes)


def test_worse_arm_is_told() -> None:
    turned = findings_of({"pretrained": (0.625, 0.645, 0.635), "random": (0.815, 0.78, 0.825)})
    assert draw_conclusions(turned)[0].startswith("pretrained is worse than random by 17.2 points: ")


def test_undecided_is_told() -> None:
    sentence, *_ = draw_conclusions(
        findings_of({"pretrained": (0.7, 0.8, 0.75), "random": (0.75, 0.7, 0.76)})
    )
    assert sentence.startswith("No clear difference between pretrained and random: 75.0% vs 73.7% accuracy")


def test_of_several_contrasts_the_interval_for_all_at_once_is_told() -> None:
    (sentence, _) = draw_conclusions(
        with_contrast(n_tests=6, family_low=-0.02, family_high=0.36, verdict="undecided")
    )
    assert sentence.endswith(
        "(95% interval for all 6 contrasts at once -2.0 to +36.0; 3 seeds and 2,000 test examples)."
    )


@pytest.mark.parametrize(
    ("verdict", "start"),
    [
        ("no difference", "pretrained and random differ by less than 1 point: 80.7% vs"),
        ("not worse", "pretrained is not worse than random by 1 point or more: 80.7% vs"),
    ],
)
def test_verdicts_by_a_margin_are_told_with_it(verdict: str, start: str) -> None:
    margin = Margin(value=1.0, stated="before the results")
    (sentence,) = draw_conclusions(replace(with_contrast(verdict=verdict), margin=margin))
    assert sentence.startswith(start)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("before the results", "was set in the study file before"),
        ("after the results", "verdicts that use it are exploratory"),
    ],
)
def test_when_a_margin_was_stated_is_said(stated: Any, words: str) -> None:
    found = replace(comparison(contrast(n_seeds=6, min_p=0.03)), margin=Margin(value=0.5, stated=stated))
    note = explain_comparison(found)[-1]
    assert note.startswith("The margin, 0.5 points, ")
    assert words in note


def test_the_same_difference_with_every_seed_has_no_interval() -> None:
    sentence, *_ = draw_conclusions(findings_of({"pretrained": (0.5, 0.6, 0.7), "random": (0.4, 0.5, 0.6)}))
    assert sentence == (
        "pretrained is 10.0 points above random with every seed: 60.0% vs 50.0% accuracy (no interval: no "
        "spread between seeds; sign-flip test p 0.250, no clear difference)."
    )


def test_one_seed_is_warned_of() -> None:
    assert draw_conclusions(findings_of({"pretrained": (0.9,), "random": (0.5,)})) == [
        "No clear difference between pretrained and random: 90.0% vs 50.0% accuracy (one seed, so no "
        "interval).",
        "One seed gives no interval; use seeds=3 or more.",
    ]


def test_two_seeds_are_said_to_be_few() -> None:
    two = findings_of({"pretrained": (0.9, 0.8), "random": (0.5, 0.6)})
    assert "Two seeds are too few for a useful interval; use seeds=3 or more." in draw_conclusions(two)
    assert not any("Two seeds" in sentence for sentence in draw_conclusions(findings_of()))


def test_of_an_arm_whose_every_run_failed_this_alone_is_said() -> None:
    (sentence,) = draw_conclusions(findings_of({"pretrained": (None, None), "random": (0.5, 0.6)}))
    assert sentence.startswith("Some runs failed and are excluded (2 of 2 of pretrained): ")


def test_sentences_are_of_the_last_size() -> None:
    runs = [
        make_record(arm, 0, value, size=size)
        for size in (2, 4)
        for arm, value in (("pretrained", size / 10), ("random", 0.1))
    ]
    findings = make_findings(make_study(seeds=1, sizes=[2, 4]), runs, ())
    assert draw_conclusions(findings)[0] == (
        "No clear difference between pretrained and random with 4 training examples: 40.0% vs 10.0% accuracy "
        "(one seed, so no interval)."
    )


def test_seeds_that_were_added_are_told_with_the_interval_that_allows_for_it() -> None:
    findings = replace(with_contrast(sequence_low=0.05, sequence_high=0.3, n_seeds=9), stopping_rule=RULE)
    assert draw_conclusions(findings)[0].endswith(
        "(95% at any number of seeds, of the median, +5.0 to +30.0, 9 seeds and 2,000 test examples)."
    )
    none_yet, *_ = draw_conclusions(replace(with_contrast(verdict="undecided"), stopping_rule=RULE))
    assert none_yet.endswith("accuracy (no interval yet; 3 seeds and 2,000 test examples).")


@pytest.mark.parametrize(("rule", "ends"), [(None, (0.1, 0.24)), (RULE, (0.05, 0.3))], ids=["given", "added"])
def test_the_sound_interval_is_the_one_that_verdicts_follow(
    rule: StoppingRule | None, ends: tuple[float, float]
) -> None:
    assert select_interval(contrast(sequence_low=0.05, sequence_high=0.3), rule) == ends


ARMS: dict[str, Any] = {"pretrained": {}, "random": {"init": "random"}, "words": {"method": "bag-of-words"}}


def test_a_pretrained_model_that_does_not_beat_the_bag_of_words_is_named() -> None:
    values = {"pretrained": 0.8, "random": 0.6, "words": 0.8}
    runs = [make_record(arm, seed, value) for arm, value in values.items() for seed in (0, 1, 2)]
    sentences = draw_conclusions(make_findings(make_study(arms=ARMS, seeds=3), runs, ()))
    assert (
        "No clear difference between pretrained and the bag of words (words): 80.0% vs 80.0% accuracy (no "
        "interval: no spread between seeds)."
    ) in sentences
    assert not any("random and the bag" in sentence for sentence in sentences)


def test_of_a_loss_the_lower_beats_the_bag_of_words() -> None:
    values = {"pretrained": 0.2, "random": 0.6, "words": 0.4}
    runs = [
        make_record(arm, seed, 0.5, valid={"loss": value}, test={"loss": value})
        for arm, value in values.items()
        for seed in (0, 1, 2)
    ]
    study = make_study(arms=ARMS, seeds=3, select={"metric": "loss"})
    (line,) = (line for line in draw_conclusions(make_findings(study, runs, ())) if "bag of words" in line)
    assert line.startswith("pretrained is 0.200 loss below the bag of words (words) with every seed: ")


def test_the_worth_of_the_fewest_labels_is_told() -> None:
    row = WorthRow(
        arm="pretrained",
        control="random",
        size="all",
        metric="accuracy",
        amount=1250,
        score=0.68,
        smallest=125,
        largest=2000,
        worth=None,
        worth_beyond="more than the largest",
        low=958.4,
        high=None,
        high_beyond="more than the largest",
        bootstrap_low=None,
        bootstrap_high=None,
    )
    assert draw_conclusions(replace(findings_of(), label_worth=(row,)))[1] == (
        "pretrained reaches 68.0% accuracy with 1,250 labels; random needs at least 958 for that (95%)."
    )


def test_few_seeds_of_a_comparison_are_explained() -> None:
    single, two, three, six = (
        explain_comparison(comparison(contrast(n_seeds=n, min_p=2.0 ** (1 - n), verdict=verdict)))
        for n, verdict in ((1, "undecided"), (2, "undecided"), (3, "better"), (6, "better"))
    )
    assert single == ["One seed gives no interval; use seeds=3 or more."]
    assert two == ["Two seeds are too few for a useful interval; use seeds=3 or more."]
    assert three == [
        "With 3 paired seeds a sign-flip test cannot go below p = 0.25: verdicts assume that "
        "differences are roughly normal. With 6 seeds it can reach 0.031."
    ]
    assert six == []


def test_unknown_test_examples_are_said() -> None:
    (note,) = explain_comparison(comparison(contrast(n_seeds=6, min_p=0.03, test_examples=None)))
    assert note == "Per-example scores are not available: intervals hold for this test set only."


@pytest.mark.parametrize(
    ("factor", "verdict", "is_told"),
    [("examples", "undecided", True), ("seeds", "undecided", False), ("examples", "better", False)],
)
def test_more_examples_are_advised_where_seeds_cannot_help(factor: str, verdict: str, is_told: bool) -> None:
    row = contrast(n_seeds=6, min_p=0.03, limiting_factor=factor, verdict=verdict)
    notes = explain_comparison(comparison(row))
    assert any("more test examples would help" in note for note in notes) is is_told


def test_a_stopping_rule_is_explained() -> None:
    row = contrast(sequence_low=0.05, sequence_high=0.3, limiting_factor="examples", verdict="undecided")
    advice, note = explain_comparison(comparison(row, rule=RULE))
    assert note.startswith(
        "Seeds were added until each contrast was decided, or its interval narrower than 2 points "
        "(at most 12 seeds): "
    )
    assert "of the median over seeds, for other seeds and test examples" in note
    assert "p values" in note
    assert "more test examples would help" in advice
    assert explain_comparison(comparison(contrast(), rule=RULE))[-1] == "It needs 8 seeds or more."


def test_a_looks_sentence_stands_below_the_verdicts_of_a_study_that_grew() -> None:
    looks = tuple(Look(time="t", seeds=tuple(range(n)), headstart="1", margin=None) for n in (1, 3, 5, 8))
    found = replace(with_contrast(n_seeds=8, n_looks=3), looks=looks)
    found = replace(found, study=found.study.model_copy(update={"seeds": tuple(range(8))}))
    sentences = draw_conclusions(found)
    assert "(95% interval for 3 looks +10.0 to +24.0; 8 seeds" in sentences[0]
    assert sentences[1].startswith(
        "Results were already inspected with 3 and with 5 seeds: verdicts and intervals allow for 3 looks."
    )
    assert not any("looked" in line for line in draw_conclusions(replace(found, stopping_rule=RULE)))


def test_beside_a_medians_interval_stands_the_median() -> None:
    found = replace(
        with_contrast(difference=-0.028, median_difference=0.01, sequence_low=0.009, sequence_high=0.012),
        stopping_rule=RULE,
    )
    sentence = draw_conclusions(found)[0]
    assert sentence.startswith("pretrained beats random by a median of 1.0 points: means 80.7% vs 63.5%")
    assert "2.8" not in sentence


def test_a_margin_stated_after_the_results_is_said_where_a_study_ends() -> None:
    after, before = (
        draw_conclusions(replace(with_contrast(), margin=Margin(value=1.0, stated=stated)))
        for stated in ("after the results", "before the results")
    )
    assert after[1].startswith("The margin, 1 point, was set after the results")
    assert not any("margin" in sentence for sentence in before)


def test_near_the_ceiling_a_verdict_names_errors() -> None:
    errors = {"reduction": 0.2, "low": 0.05, "high": 0.31}
    (sentence, *_) = draw_conclusions(with_contrast(relative_errors=errors))
    assert "beats random by 17.0 points, 20% fewer errors (5 to 31%): " in sentence


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "for these training examples"),
        ({"data": {"path": "a.csv", "training_texts": "folds"}}, "for training examples like these"),
        ({"data": {"path": "a.csv", "training_texts": "bootstrap"}}, "for training examples like these"),
        ({"sizes": [2000]}, "for other draws of 2,000 of these training examples"),
    ],
)
def test_verdicts_say_for_which_training_texts_they_hold(changes: dict[str, Any], words: str) -> None:
    findings = findings_of(**changes)
    assert f"Verdicts hold {words}." in draw_conclusions(findings)
    assert {row.holds_for for row in findings.contrasts} == {words}


def test_each_size_has_its_own_question() -> None:
    rows = [contrast(size=10, holds_for="for other draws"), contrast(holds_for="for these training examples")]
    assert explain_comparison(comparison(*rows))[-1] == (
        "Verdicts hold at size 10 for other draws, at size all for these training examples."
    )


@pytest.mark.parametrize(
    ("low", "verdict", "shown"),
    [
        (-0.01, "no difference", "no difference"),
        (0.01, "no difference", "within margin"),
        (0.1, "better", "better"),
    ],
)
def test_a_table_never_says_no_difference_beside_an_interval_without_zero(
    low: float, verdict: str, shown: str
) -> None:
    assert format_verdict(contrast(family_low=low, family_high=0.24, verdict=verdict), None) == shown


def test_sizes_that_seeds_draw_are_told_of_once() -> None:
    draws = [
        contrast(size=n, holds_for=f"for other draws of {n} of these training examples") for n in (16, 64)
    ]
    assert list(describe_training_texts(draws)) == [
        "Verdicts hold for other draws of as many of these training examples."
    ]


def test_of_one_seed_nothing_is_said_of_intervals_that_there_are_not() -> None:
    """ "Intervals and p values allow for 2 contrasts" stood below a table without any."""
    untested: dict[str, Any] = dict.fromkeys(("low", "high", "family_low", "family_high", "p", "p_adjusted"))
    untested |= {"p_sign_flip": None, "n_seeds": 1, "n_tests": 3, "verdict": "undecided"}
    untested |= {"test_examples": None, "holds_for": "for these training examples"}
    alone = comparison(*(contrast(arm=arm, **untested) for arm in "abc"))
    said = " ".join(explain_comparison(replace(alone, summary=findings_of().summary)))
    assert "One seed gives no interval" in said
    for words in ("allow for", "intervals hold", "Verdicts hold", "intervals of", "at once"):
        assert words not in said
    assert "one seed, so no intervals): a +17.0 points, b +17.0 points, c +17.0 points." in said
    three = explain_comparison(comparison(*(contrast(arm=arm, n_tests=3) for arm in "abc")))
    assert any("Intervals and p values allow for 3 contrasts (Bonferroni)" in one for one in three)


def test_a_baseline_contrast_over_runs_that_collapsed_says_so() -> None:
    """Its sentence has the mark's word, for the arm and for the bag of words alike."""
    words = {"arm": "pretrained", "control": "words", "difference": 0.17, "verdict": "better"}
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": {"method": "bag-of-words"}}
    for counts, start in (
        ({"n_collapsed": 2}, "pretrained (collapsed) beats the bag of words (words) by 17.0 points"),
        ({"n_control_collapsed": 1}, "pretrained beats the bag of words (words) (collapsed) by 17.0 points"),
        ({}, "pretrained beats the bag of words (words) by 17.0 points"),
    ):
        found = replace(
            findings_of(), study=make_study(arms=arms), baseline_contrasts=(contrast(**words, **counts),)
        )
        assert any(one.startswith(start) for one in draw_conclusions(found)), draw_conclusions(found)
