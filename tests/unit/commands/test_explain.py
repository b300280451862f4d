"""What `explain lora` counts, of a model at hand or of the example."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from headstart.commands.explain import check_topic, explain_lora
from headstart.commands.params import params
from headstart.config.study import Lora
from headstart.errors import HeadstartError


def test_the_example_is_bloom_560m() -> None:
    explanation = explain_lora()
    assert explanation.is_example
    assert explanation.size.total == 559_214_592
    assert explanation.lora.trainable == 1_572_864
    assert explanation.task_type == "CAUSAL_LM"


def test_sizes_are_those_of_params(bloom_config: Path) -> None:
    lora = Lora(r=2)
    explanation = explain_lora(bloom_config, lora)
    assert not explanation.is_example
    assert explanation.size == params(bloom_config, lora=lora)
    assert explanation.qlora_size == params(bloom_config, lora=lora, bits=4)


def test_a_classifiers_task_type_is_another(tiny_model: Path) -> None:
    assert explain_lora(tiny_model).task_type == "SEQ_CLS"


@pytest.mark.parametrize(("rank", "alphas"), [(8, [4, 8, 16, 32]), (1, [1, 2, 4])])
def test_scales_are_those_of_hu_and_kalajdzievski(bloom_config: Path, rank: int, alphas: list[int]) -> None:
    scales = explain_lora(bloom_config, Lora(r=rank)).scales
    assert [scale.alpha for scale in scales] == alphas
    assert [scale.plain for scale in scales] == [alpha / rank for alpha in alphas]
    assert [scale.rank_stabilised for scale in scales] == [alpha / math.sqrt(rank) for alpha in alphas]


def test_json_holds_the_models_numbers_and_what_the_page_adds(bloom_config: Path) -> None:
    explanation = explain_lora(bloom_config, Lora(r=2))
    values = json.loads(json.dumps(explanation.to_dict()))
    explained = values.pop("explained")
    assert values == json.loads(json.dumps(explanation.size.to_dict()))
    assert explained["layers"] == {"attention": 4, "mlp": 4, "all": 8}
    assert explained["scales"]["4"] == {"scale": 2.0, "rslora": 4 / math.sqrt(2)}
    assert explained["qlora_bytes"] == explanation.qlora_size.training_bytes


def test_a_topic_without_a_page_is_refused() -> None:
    check_topic("lora")
    with pytest.raises(HeadstartError, match="no page about 'adam'"):
        check_topic("adam")
