"""The block at the top of a model card: the hub's own reader finds all; what is hostile stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from huggingface_hub import ModelCard, metadata_load
from markdown_it import MarkdownIt

from headstart.config.study import Study
from headstart.data import assets
from headstart.data.assets import Asset
from headstart.models.base_card import BaseCard, read_base_card
from headstart.report.card import write_model_card
from headstart.report.card_use import describe_merged
from studies import findings_of, make_record, make_study

HOSTILE = (
    "<script>alert(1)</script>",
    "`](javascript:alert(1))` [x](javascript:alert(1)) <javascript:1> [r]: javascript:1",
    "\u202ertl\u2066 \U0001f600 \u0645\u0631\u062d\u0628\u0627",
    ": - !!python/object/apply:os.system ['x']",
    "a\nb\n---\nlicense: evil\n---\n# head",
    "' \" \\ % {arm} &lt; \x1b[31m \ud800",
    "x" * 100_000,
)


def write(study: Study, arm: str = "pretrained", **more: Any) -> str:
    scores = {"accuracy": 0.5, "macro_f1": 0.25, "loss": float("nan")}
    provenance = dict.fromkeys(
        ("headstart", "python", "torch", "transformers", "numpy", "platform", "processor", "data_digest"), "1"
    )
    base = more.pop("base", None)
    record = make_record(
        arm,
        2,
        0.5,
        valid=scores,
        test=scores,
        best_epoch=3,
        provenance=provenance | {"commit": None, "checkpoint_digest": None, "started": "now"},
    )
    return write_model_card(record, study, more.pop("names", ("x", "y")), base=base, **more)


def read_body(text: str) -> list[Any]:
    tokens = MarkdownIt("commonmark").enable("table").parse(ModelCard(text).text)
    return [*tokens, *(child for token in tokens for child in token.children or ())]


def test_the_hubs_reader_finds_metrics_data_and_base(tmp_path: Path) -> None:
    study = make_study(
        model="bert-base", data={"hub": "me/reviews-of-books", "subset": "fr", "revision": "v1"}
    )
    file = tmp_path / "README.md"
    file.write_text(write(study), encoding="utf-8")
    card = ModelCard.load(file)
    values = metadata_load(file)
    assert values is not None
    assert values["datasets"] == ["me/reviews-of-books"]
    assert values["tags"] == ["headstart", "full"]
    assert (values["base_model"], values["base_model_relation"]) == ("bert-base", "finetune")
    assert (values["library_name"], values["pipeline_tag"]) == ("transformers", "text-classification")
    assert "license" not in values
    assert "language" not in values
    assert card.data.model_name == "pretrained"
    assert [(one.metric_type, one.metric_value) for one in card.data.eval_results] == [
        ("accuracy", 0.5),
        ("f1", 0.25),
    ]
    first, second = card.data.eval_results
    assert (first.task_type, first.dataset_type, first.dataset_config) == (
        "text-classification",
        "me/reviews-of-books",
        "fr",
    )
    assert (first.dataset_split, first.dataset_revision) == ("test", "v1")
    assert second.metric_args == {"average": "macro"}


@pytest.mark.parametrize(
    ("arm", "library", "relation"),
    [
        ({}, "transformers", "finetune"),
        ({"method": "lora"}, "peft", "adapter"),
        ({"method": "lora", "init": "random"}, "transformers", None),
        ({"method": "probe"}, None, "adapter"),
        ({"method": "bag-of-words"}, None, None),
    ],
    ids=["full", "lora", "lora-random", "probe", "words"],
)
def test_library_and_relation_follow_from_the_folder(
    arm: dict[str, Any], library: str | None, relation: str | None
) -> None:
    study = make_study(model="me/base@v2", arms={"mine": arm, "other": {}}, control="other", confounded=True)
    values = ModelCard(write(study, "mine")).data.to_dict()
    assert values.get("library_name") == library
    assert values.get("base_model_relation") == relation
    assert values.get("base_model") == ("me/base" if relation else None)


def test_a_folder_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "bert").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for model in ("models/bert", str(tmp_path / "models" / "bert"), "asset:minilm"):
        text = write(make_study(model=model, data={"path": "/home/somebody/texts.csv"}))
        assert "base_model" not in text
        assert "somebody" not in text
        assert str(tmp_path) not in text
        assert ModelCard(text).data.eval_results[0].dataset_name == "texts.csv"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_hostile_is_text(text: str, tmp_path: Path) -> None:
    whole = text.replace("\ud800", "")  # which no study file can hold; a label can
    name = whole[:200]
    study = make_study(question=whole, data={"path": f"a/{name.replace('/', '_')}.csv"}, model=f"/m/{name}")
    written = write(study, names=(text, "y"))
    assert len(written.encode()) < 20_000
    block = yaml.safe_load(written.split("\n---\n")[0].removeprefix("---\n"))
    assert block["model-index"][0]["results"][0]["dataset"]["name"] == f"{name.replace('/', '_')}.csv"
    assert set(block) == {"library_name", "metrics", "pipeline_tag", "tags", "model-index"}
    body = read_body(written)
    assert not any(token.type.startswith("html") for token in body)
    assert not any(token.type in ("link_open", "image") for token in body)
    headings = [token.markup for token in body if token.type == "heading_open"]
    assert headings == ["#", "##", "##", "##", "##", "##"]
    assert not {"\u202e", "\u2066", "\x1b"} & set(written)


def test_the_card_of_an_ended_study_has_every_seed_the_control_and_the_verdict() -> None:
    findings = findings_of()
    record = next(one for one in findings.records if one.arm == "pretrained")
    text = write_model_card(record, findings.study, ("x", "y"), findings=findings)
    assert "| `pretrained` | 0, 1, 2 | 80.7 | 74.2 to 85.8 | - |" in text
    assert "| `random` (control) | 0, 1, 2 | 63.5 | 61.0 to 65.9 | - |" in text
    assert "- pretrained beats random by 17.2 points" in text
    assert "Verdict: better." in text
    control = next(one for one in findings.records if one.arm == "random")
    assert "- pretrained beats random" in write_model_card(control, findings.study, (), findings=findings)
    assert "The study had not ended" in write_model_card(record, findings.study, ())


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("license: mit\nlanguage: fr", BaseCard("mit", language="fr")),
        ("license: mit\nlanguage: [fr]", BaseCard("mit", language="fr")),
        ("language: [fr, en]", BaseCard()),
        (
            "license: other\nlicense_name: Own 1.0\nlicense_link: https://x.org/l",
            BaseCard("other", "Own 1.0", "https://x.org/l"),
        ),
        ("license: other\nlicense_link: 'javascript:1'", BaseCard("other")),
        ("license: mit\nlicense_link: https://x.org", BaseCard("mit")),
        ("license: '<script>'\nlanguage: \"a\\nb\"", BaseCard()),
        ("license: [mit]", BaseCard()),
        ("- mit", BaseCard()),
        ("a: &a [*a, *a]", BaseCard()),
        ("a: !!python/object/apply:os.system ['x']", BaseCard()),
        ("a: [", BaseCard()),
        ("[" * 20_000, BaseCard()),
    ],
)
def test_what_the_bases_card_states(tmp_path: Path, block: str, expected: BaseCard) -> None:
    (tmp_path / "README.md").write_text(f"---\n{block}\n---\n# Base\n", encoding="utf-8")
    assert read_base_card(str(tmp_path)) == expected


def test_an_assets_card_is_the_models_that_was_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    asset = Asset("tiny", "model", "tiny==1", "0123456789ab" * 5, "pack/model/", "MIT", "this test")
    monkeypatch.setattr(assets, "_ASSETS", (asset,))
    assert read_base_card("asset:tiny") == read_base_card("asset:other") == BaseCard()  # nothing is fetched
    folder = assets._get_folder(asset) / "pack" / "model"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\nlanguage: en\n---\n", encoding="utf-8")
    assert read_base_card("asset:tiny") == BaseCard("apache-2.0", language="en")


def test_a_license_is_the_bases_or_a_line_to_fill() -> None:
    study = make_study(model="me/base")
    stated = write(study, base=BaseCard("mit", language="fr"))
    assert ModelCard(stated).data.license == "mit"
    assert ModelCard(stated).data.language == "fr"
    assert "`mit`, which `me/base` states as its own" in stated
    assert "add a line such as `license: apache-2.0`" in write(study)


def test_a_merged_adapters_card_is_that_of_a_whole_model() -> None:
    study = make_study(
        model="me/base", arms={"lora": {"method": "lora"}, "other": {}}, control="other", confounded=True
    )
    text = write(study, "lora").replace("## Limits", "Somebody's own words.\n\n## Limits")
    merged = describe_merged(text, generates=False)
    values = ModelCard(merged).data.to_dict()
    assert (values["library_name"], values["base_model_relation"]) == ("transformers", "finetune")
    assert "This folder holds an adapter" not in merged
    assert 'pipeline("text-classification", model="THIS_FOLDER")("a text")' in merged
    assert "Somebody's own words.\n\n## Limits" in merged
    assert describe_merged("# mine\n", generates=True) == "# mine\n"
