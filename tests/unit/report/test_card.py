"""The model card: how a model was made and chosen, and how it is loaded, by what its folder holds."""

from __future__ import annotations

from typing import Any

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from headstart.config.study import Study
from headstart.data.controls import escape_hidden
from headstart.report.card import write_model_card
from studies import make_record, make_study

TALKS: dict[str, Any] = {"task": "instruction", "control": "base"}


def card(arm: str = "pretrained", names: tuple[str, ...] = ("x", "y"), **changes: Any) -> str:
    study = make_study(**changes)
    return write_model_card(record_of(study, arm), study, names)


def record_of(study: Study, arm: str, **more: Any) -> Any:
    scores = {study.metric: 0.75}
    return make_record(arm, 2, 0.5, valid=scores, test={study.metric: 0.5}, best_epoch=3, **more)


def test_it_tells_how_the_model_was_made_and_what_it_reached() -> None:
    lines = card(question="Does it help?").splitlines()
    assert "# pretrained, from the study “Does it help?”" in lines
    assert "8 training examples, seed 2, epoch 3." in lines
    assert any(line.startswith("Fine-tuned from `m` (its weights) with") for line in lines)
    assert "| valid | 75.0 |" in lines
    assert "| test | 50.0 |" in lines
    assert "Labels: `x`, `y`." in lines


def test_it_links_to_nothing_that_may_not_be_there() -> None:
    arms = {"lora": {"method": "lora"}, "probe": {"method": "probe"}, "words": {"method": "bag-of-words"}}
    kinds = [card(arm, arms=arms | {"pretrained": {}}, control="pretrained") for arm in (*arms, "pretrained")]
    kinds.append(card("base", (), arms={"base": {"method": "none"}}, **TALKS))
    for text in kinds:
        tokens = [inside for token in MarkdownIt().parse(text) for inside in token.children or ()]
        assert [token.attrGet("href") for token in tokens if token.type == "link_open"] == []
        assert "://" not in text


def test_random_weights_are_said_to_be_random() -> None:
    assert "Fine-tuned from `m` (random weights) with" in card("random")


def test_a_bag_of_words_tells_how_it_was_fitted_and_what_reads_it() -> None:
    study = make_study(arms={"words": {"method": "bag-of-words"}}, control=None)
    text = write_model_card(
        record_of(study, "words", resolved={"inverse_regularisation": 3.0}), study, ("x", "y")
    )
    assert "library_name" not in text
    assert "with logistic regression, fitted by scikit-learn" in text
    assert "8 training examples,\ninverse regularisation strength 3." in text
    assert "`headstart predict` reads this folder" in text
    assert "Labels: `x`, `y`." in text
    assert "Fine-tuned from" not in text


def test_an_adapter_that_transformers_loads_says_so() -> None:
    arms = {"pretrained": {"method": "lora"}, "random": {"init": "random"}, "words": None}
    study = make_study(arms=arms, confounded=True)
    plain = write_model_card(record_of(study, "pretrained"), study, ("x", "y"))
    files = {"model/model.safetensors.index.json": "0" * 64}
    with_index = write_model_card(record_of(study, "pretrained", files=files), study, ("x", "y"))
    assert "pipeline(" not in plain
    assert 'pipeline("text-classification", model="THIS_FOLDER")' in with_index


def test_an_arm_may_start_from_a_checkpoint_of_its_own() -> None:
    arms = {"other": {"init": "folder/of/weights"}, "random": {"init": "random"}, "words": None}
    assert "Fine-tuned from `folder/of/weights` (its weights) with" in card(
        "other", arms=arms, confounded=True
    )


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (
            [1e-5, 1e-4],
            "Chosen on valid, by the tuning seeds 1000, 1001: learning_rate 0.0001, of 2 grid points tried.",
        ),
        (
            [1e-4],
            "Chosen on valid, by the tuning seeds 1000, 1001: learning_rate 0.0001, of 1 grid point tried.",
        ),
    ],
)
def test_it_tells_the_grid_point(points: list[float], sentence: str) -> None:
    study = make_study(tune={"learning_rate": points})
    record = record_of(study, "pretrained", hyperparameters={"learning_rate": 1e-4})
    lines = write_model_card(record, study, ("x", "y")).splitlines()
    assert sentence in lines
    assert any(line.startswith("Of the arm's runs at this grid point, this is the one") for line in lines)
    assert "Chosen" not in card()


@pytest.mark.parametrize(
    ("arm", "section", "use"),
    [
        ({}, None, 'pipeline("text-classification"'),
        ({"method": "lora"}, {"lora": {"target": ["query"]}}, "This folder holds an adapter"),
        ({"method": "lora", "init": "random"}, {"lora": {"target": ["query"]}}, 'pipeline("text-class'),
        ({"method": "probe"}, None, "This folder holds a linear probe"),
        ({"method": "probe", "init": "random"}, None, "This folder holds a linear probe"),
    ],
    ids=["full", "lora", "lora-random", "probe", "probe-random"],
)
def test_how_to_load_it_follows_from_what_the_folder_holds(
    arm: dict[str, Any], section: dict[str, Any] | None, use: str
) -> None:
    text = card("mine", arms={"mine": arm | (section or {}), "words": None}, confounded=True)
    assert use in text
    assert "`x`, `y`" in text


@pytest.mark.parametrize(
    ("arm", "use"),
    [
        ({}, 'pipeline("text-generation"'),
        ({"method": "lora", "lora": {"target": ["query"]}}, "`headstart generate` loads it with its base"),
    ],
    ids=["full", "lora"],
)
def test_a_language_model_answers_prompts(arm: dict[str, Any], use: str) -> None:
    text = card("mine", (), arms={"mine": arm, "base": {"method": "none"}}, **TALKS)
    assert use in text
    assert "It answers prompts" in text
    assert "Labels" not in text


@pytest.mark.parametrize(
    ("changes", "pipeline"),
    [
        ({}, "text-classification"),
        ({"arms": {"pretrained": {}, "base": {"method": "none"}}, **TALKS}, "text-generation"),
    ],
    ids=["classification", "instruction"],
)
def test_the_hubs_metadata_stand_first(changes: dict[str, Any], pipeline: str) -> None:
    _, block, _ = card(**changes).split("---\n", 2)
    values = YAML(typ="safe").load(block)
    assert list(values) == ["library_name", "metrics", "pipeline_tag", "tags", "model-index"]
    assert (values["library_name"], values["pipeline_tag"]) == ("transformers", pipeline)
    assert values["tags"] == ["headstart", "full"]


def test_a_regression_has_a_number_for_a_label() -> None:
    assert "Labels: a number." in card(names=(), task="regression", select={"metric": "pearson"})


HOSTILE = [
    "`x` <script>alert(1)</script>",
    "](javascript:alert(1))",
    "a|b",
    "a\nb",
    "\x1b[31mred",
    "\u202ertl",
    "--- ",
]


def test_what_people_write_stays_text_in_it() -> None:
    question = "`code` <script>alert(1)</script>\n---\n[a](javascript:1) ![i](http://x) \x1b[0m {arm}"
    text = card(question=question, names=tuple(HOSTILE))
    tokens = MarkdownIt("commonmark").enable("table").parse(text.split("---\n", 2)[2])
    inline = [child for token in tokens for child in token.children or ()]
    assert not any(token.type.startswith("html") for token in [*tokens, *inline])
    assert not any(token.type == "image" for token in inline)
    links = {str(token.attrs.get("href")) for token in inline if token.type == "link_open"}
    assert links == set()
    codes = [token.content for token in inline if token.type == "code_inline"]
    assert set(codes) >= {escape_hidden(name).replace("\n", "\\n") for name in HOSTILE}
    assert "\x1b" not in text
    assert "\u202e" not in text
    head, front, body = text.split("---\n", 2)
    assert (head, "tags" in YAML(typ="safe").load(front)) == ("", True)
    assert body.startswith("\n# pretrained, from the study")


def test_it_tells_no_folder_that_a_checkpoint_lies_in() -> None:
    text = card(model="/home/somebody/models/bert")
    assert "somebody" not in text
    assert "Fine-tuned from `bert` (its weights) with" in text
