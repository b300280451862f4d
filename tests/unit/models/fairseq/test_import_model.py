"""Networks that are imported give fairseq's logits; what transformers cannot compute is refused by name."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from fairseq_networks import (
    IDS,
    PAD,
    POSITIONS,
    ROWS,
    WIDTH,
    WORDS,
    compute_class_logits,
    compute_features,
    compute_lm_logits,
    foreign_module,
    make_checkpoint,
    make_settings,
    make_state,
    write_folder,
    write_lines,
)
from headstart import HeadstartError, import_fairseq
from headstart.errors import ModelError

MASK = (IDS != PAD).long()
PRE: dict[str, Any] = {"arch": "roberta_prenorm", "encoder_normalize_before": True}


def load(auto_class: Any, folder: Path) -> Any:
    """The model as transformers alone reads it, with nothing missing."""
    model, report = auto_class.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    return model.eval()


def compute(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model(IDS, attention_mask=MASK).logits
    return logits


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    # Of places that are padding neither library says anything.
    kept = MASK.bool() if found.ndim == 3 else slice(None)
    assert torch.allclose(found[kept], expected[kept], atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "family"),
    [
        ({}, "roberta"),
        ({"untie_weights_roberta": True}, "roberta"),
        (PRE | {"layernorm_embedding": True}, "roberta-prelayernorm"),
        (PRE | {"layernorm_embedding": False}, "xlm-roberta-xl"),
        (PRE | {"layernorm_embedding": True, "untie_weights_roberta": True}, "roberta-prelayernorm"),
        ({"task": "multilingual_masked_lm"}, "xlm-roberta"),
    ],
)
def test_a_masked_language_model_gives_fairseqs_logits(
    tmp_path: Path, changes: dict[str, Any], family: str
) -> None:
    settings = make_settings(**changes)
    state = make_state(settings)
    imported = import_fairseq(
        write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none"
    )
    assert (imported.family, imported.head) == (family, "lm_head")
    assert_close(
        compute(load(AutoModelForMaskedLM, tmp_path / "out")), compute_lm_logits(state, settings, IDS)
    )


@pytest.mark.parametrize(
    "activation", ["gelu", "gelu_accurate", "gelu_fast", "relu", "relu_squared", "tanh", "linear"]
)
@pytest.mark.parametrize("changes", [{}, PRE | {"layernorm_embedding": False}])
def test_a_head_gives_fairseqs_logits(tmp_path: Path, activation: str, changes: dict[str, Any]) -> None:
    settings = make_settings(activation_fn=activation, **changes)
    state = make_state(settings, {"topic": 3})
    import_fairseq(write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none")
    settings.activation_fn = activation.replace("fast", "accurate")
    expected = compute_class_logits(state, settings, "topic", IDS)
    assert_close(compute(load(AutoModelForSequenceClassification, tmp_path / "out")), expected)


def test_the_configuration_says_what_fairseq_does(tmp_path: Path) -> None:
    settings = make_settings()
    folder = write_folder(tmp_path / "ck", settings, make_state(settings))
    imported = import_fairseq(folder, tmp_path / "out", tokenizer="none")
    config = AutoConfig.from_pretrained(tmp_path / "out")
    assert (config.layer_norm_eps, config.initializer_range, config.type_vocab_size) == (1e-5, 0.02, 1)
    assert config.max_position_embeddings == POSITIONS + PAD + 1
    dropouts = (config.hidden_dropout_prob, config.attention_probs_dropout_prob, config.classifier_dropout)
    assert dropouts == (0.2, 0.3, 0.4)
    assert (config.bos_token_id, config.pad_token_id, config.eos_token_id, config.vocab_size) == (
        0,
        1,
        2,
        ROWS,
    )
    assert imported.dropped == ("encoder.sentence_encoder.version",)


def test_parameters_are_counted_as_fairseq_counts_them(tmp_path: Path) -> None:
    settings = make_settings()
    state = make_state(settings, {"topic": 3})
    imported = import_fairseq(
        write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none"
    )
    tied = state["encoder.lm_head.weight"].numel()
    assert imported.total == sum(v.numel() for v in state.values()) - tied - 1  # the version is a buffer
    assert imported.parameters["head topic"] == WIDTH * WIDTH + WIDTH + 3 * WIDTH + 3


def test_the_largest_table_is_written_once(tmp_path: Path) -> None:
    settings = make_settings()
    folder = write_folder(tmp_path / "ck", settings, make_state(settings))
    imported = import_fairseq(folder, tmp_path / "out", tokenizer="none")
    size = (tmp_path / "out" / "model.safetensors").stat().st_size
    assert size < 4 * (imported.total + WIDTH + 1000) + 8000


def make_old_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same weights by the names of fairseq 0.8, with queries, keys and values in one table."""
    old = {"decoder.sentence_encoder.embed_positions._float_tensor": torch.zeros(1)}
    for name, value in state.items():
        if name.endswith("version"):
            continue
        if ".q_proj." in name:
            rows = [state[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
            fused = name.replace(".q_proj.", ".in_proj_").replace("encoder.", "decoder.", 1)
            old[fused] = torch.cat(rows)
        elif ".k_proj." not in name and ".v_proj." not in name:
            new = name.replace("encoder.", "decoder.", 1) if name.startswith("encoder.") else name
            new = new.replace("layernorm_embedding", "emb_layer_norm")
            new = new.replace("self_attn_layer_norm", "layer_norms.0").replace(
                "final_layer_norm", "layer_norms.1"
            )
            old[new] = value
    return old


@pytest.mark.parametrize("old_file", [False, True])
def test_names_and_files_of_earlier_versions(tmp_path: Path, old_file: bool) -> None:
    settings = make_settings()
    state = make_state(settings)
    for name in ("encoder_normalize_before", "layernorm_embedding", "untie_weights_roberta"):
        delattr(settings, name)  # which came later
    folder = write_folder(tmp_path / "ck", settings, make_old_names(state), old=old_file)
    import_fairseq(folder, tmp_path / "out", tokenizer="none")
    expected = compute_lm_logits(state, make_settings(), IDS)
    assert_close(compute(load(AutoModelForMaskedLM, tmp_path / "out")), expected)


def test_half_precision_is_written_as_fairseq_loads_it(tmp_path: Path) -> None:
    settings = make_settings()
    half = {name: value.half() for name, value in make_state(settings).items()}
    imported = import_fairseq(
        write_folder(tmp_path / "ck", settings, half), tmp_path / "out", tokenizer="none"
    )
    whole = {name: value.float() for name, value in half.items()}
    assert_close(
        compute(load(AutoModelForMaskedLM, tmp_path / "out")), compute_lm_logits(whole, settings, IDS)
    )
    assert any("float16" in note for note in imported.notes)


def make_omegaconf(values: dict[str, Any]) -> Any:
    """What OmegaConf 2.1 leaves in a pickle, by classes of the same names."""

    class Metadata:
        def __init__(self) -> None:
            self.ref_type, self.object_type, self.optional, self.flags = Any, dict, True, {"struct": True}

    class Node:
        pass

    class DictConfig:
        pass

    def wrap(value: Any) -> Any:
        node: Any = DictConfig() if isinstance(value, dict) else Node()
        if isinstance(value, dict):
            node._content = {key: wrap(one) for key, one in value.items()}
        else:
            node._val = value
        node._metadata, node._parent = Metadata(), None
        return node

    return wrap, {"DictConfig": DictConfig}, {"AnyNode": Node}, {"ContainerMetadata": Metadata}


@pytest.mark.parametrize("form", ["dict", "namespace within", "omegaconf"])
def test_settings_in_a_cfg(tmp_path: Path, form: str) -> None:
    settings = make_settings(untie_weights_roberta=True)
    state = make_state(settings)
    values = vars(settings) | {"_name": "roberta", "max_positions": "${task.tokens_per_sample}"}
    task = {"_name": "masked_lm", "tokens_per_sample": POSITIONS}
    model: Any = Namespace(**values) if form == "namespace within" else values
    cfg: Any = {"model": model, "task": task, "common": {"seed": 1}}
    folder = tmp_path / "ck"
    if form == "omegaconf":
        wrap, configs, nodes, metadata = make_omegaconf(cfg)
        with (
            foreign_module("omegaconf.base", **metadata),
            foreign_module("omegaconf.dictconfig", **configs),
            foreign_module("omegaconf.nodes", **nodes),
        ):
            write_folder(folder, settings, state, content=make_checkpoint(wrap(cfg), state, key="cfg"))
    else:
        write_folder(folder, settings, state, content=make_checkpoint(cfg, state, key="cfg"))
    imported = import_fairseq(folder, tmp_path / "out", tokenizer="none")
    assert (imported.settings_from, imported.task) == ("cfg", "masked_lm")
    assert_close(
        compute(load(AutoModelForMaskedLM, tmp_path / "out")), compute_lm_logits(state, settings, IDS)
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"encoder_learned_pos": False}, "sinusoidal positions (encoder_learned_pos is false)"),
        ({"no_token_positional_embeddings": True}, "no positions (no_token_positional_embeddings)"),
        ({"no_scale_embedding": False}, "scaled embeddings"),
        ({"adaptive_input": True}, "adaptive inputs"),
        ({"quant_noise_pq": 0.1}, "quant noise (quant_noise_pq)"),
        ({"quant_noise_scalar": 0.5}, "quant noise (quant_noise_scalar)"),
        ({"encoder_layers_to_keep": "0,1"}, "layers that are to be left out"),
        ({"layernorm_embedding": False}, "no norm behind the embeddings"),
        ({"activation_fn": "swish"}, "the activation 'swish'"),
        ({"encoder_layers": 3}, "its settings say encoder_layers 3, and its weights have 2"),
        ({"encoder_attention_heads": 5}, "encoder_attention_heads is 5"),
        ({"encoder_layers": "two"}, "its setting encoder_layers is 'two'"),
        ({"dropout": True}, "its setting dropout is True"),
        ({"arch": "bart_large"}, "a checkpoint of BART"),
        ({"arch": "mbart_large"}, "a checkpoint of mBART"),
        ({"arch": "data2vec_text"}, "a checkpoint of data2vec"),
    ],
)
def test_what_transformers_cannot_compute_is_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    settings = make_settings()
    state = make_state(settings)
    vars(settings).update(changes)
    with pytest.raises(ModelError) as caught:
        import_fairseq(write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none")
    assert told in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["ck"]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("encoder.sentence_encoder.layers.0.self_attn.bias_k", "add_bias_kv"),
        ("encoder.sentence_encoder.quant_noise.weight", "quant noise"),
        ("encoder.sentence_encoder.segment_embeddings.weight", "embeddings of segments"),
        ("encoder.layers.0.encoder_attn.k_proj.weight", "an encoder with a decoder"),
        ("encoder.sentence_encoder.adapter.weight", "encoder.sentence_encoder.adapter.weight"),
        ("encoder_frontend.embed.weight", "fairseq2"),
        ("encoder.sentence_encoder.layer_norm.weight", "a norm behind post-norm layers"),
        ("encoder.sentence_encoder.layers.5.fc1.weight", "encoder_layers 2, and its weights have 3"),
    ],
)
def test_every_key_is_accounted_for(tmp_path: Path, key: str, told: str) -> None:
    settings = make_settings()
    state = make_state(settings) | {key: torch.zeros(WIDTH)}
    with pytest.raises(ModelError) as caught:
        import_fairseq(write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none")
    assert told in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_weight_is_told(tmp_path: Path) -> None:
    settings = make_settings()
    state = make_state(settings)
    del state["encoder.sentence_encoder.layers.1.fc2.bias"]
    with pytest.raises(ModelError, match=r"1 weights are missing.*layer\.1\.output\.dense\.bias"):
        import_fairseq(write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none")


def test_pre_norm_of_an_old_version_is_refused(tmp_path: Path) -> None:
    settings = make_settings(**PRE)
    state = make_state(settings) | {"encoder.sentence_encoder.version": torch.tensor([1.0])}
    with pytest.raises(ModelError, match="without a norm behind the last one"):
        import_fairseq(write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none")


def test_tables_that_are_to_be_one_and_differ_are_refused(tmp_path: Path) -> None:
    settings = make_settings()
    state = make_state(settings)
    state["encoder.lm_head.weight"] = state["encoder.lm_head.weight"] + 1
    with pytest.raises(ModelError, match=r"lm_head\.weight is not embed_tokens\.weight"):
        import_fairseq(write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none")


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_a_body_alone_is_written_where_no_head_can_be(tmp_path: Path, activation: str) -> None:
    settings = make_settings(activation_fn=activation)
    state = make_state(settings)
    if activation == "gelu":
        state = {name: value for name, value in state.items() if "lm_head" not in name}
    imported = import_fairseq(
        write_folder(tmp_path / "ck", settings, state), tmp_path / "out", tokenizer="none"
    )
    assert imported.head is None
    assert any("the body is written by itself" in note for note in imported.notes)
    model = AutoModel.from_pretrained(tmp_path / "out", add_pooling_layer=False).eval()
    with torch.inference_mode():
        found = model(IDS, attention_mask=MASK).last_hidden_state
    assert_close(found, compute_features(state, settings, IDS))


def test_a_dictionary_of_another_length_is_refused(tmp_path: Path) -> None:
    settings = make_settings()
    folder = write_folder(tmp_path / "ck", settings, make_state(settings))
    write_lines(folder / "dict.txt", (*WORDS, "more", "still"))
    with pytest.raises(ModelError, match=f"{ROWS + 2} symbols.*embedding of {ROWS} rows"):
        import_fairseq(folder, tmp_path / "out", tokenizer="none")
    (folder / "dict.txt").unlink()
    with pytest.raises(ModelError, match=r"no dict\.txt beside it"):
        import_fairseq(folder, tmp_path / "out", tokenizer="none")


def test_a_dictionary_without_mask(tmp_path: Path) -> None:
    settings = make_settings()
    folder = write_folder(tmp_path / "ck", settings, make_state(settings))
    write_lines(folder / "dict.txt", (*WORDS, "more"))
    assert import_fairseq(folder, tmp_path / "out", tokenizer="none").sizes.vocabulary == ROWS


def test_camemberts_dictionary_makes_a_camembert(tmp_path: Path) -> None:
    settings = make_settings()
    state = make_state(settings)
    folder = write_folder(tmp_path / "ck", settings, state)
    lines = ["<unk>NOTUSED 1", "<s> 1 #fairseq:overwrite", "</s> 1 #fairseq:overwrite"]
    lines += [f"{word} 5" for word in WORDS[3:]]
    (folder / "dict.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert import_fairseq(folder, tmp_path / "out", tokenizer="none").family == "camembert"
    config = AutoConfig.from_pretrained(tmp_path / "out")
    assert (config.model_type, config.bos_token_id, config.eos_token_id) == ("camembert", 5, 6)
    assert_close(
        compute(load(AutoModelForMaskedLM, tmp_path / "out")), compute_lm_logits(state, settings, IDS)
    )


def test_the_family_can_be_named(tmp_path: Path) -> None:
    settings = make_settings()
    folder = write_folder(tmp_path / "ck", settings, make_state(settings))
    for family, kind in (("gottbert", "roberta"), ("camembert", "camembert"), ("xlm-roberta", "xlm-roberta")):
        imported = import_fairseq(folder, tmp_path / family, tokenizer="none", family=family)
        assert imported.family == kind
    with pytest.raises(ModelError, match="--family: 'bert' is not known"):
        import_fairseq(folder, tmp_path / "out", tokenizer="none", family="bert")
    settings = make_settings(**PRE)
    folder = write_folder(tmp_path / "pre", settings, make_state(settings))
    with pytest.raises(HeadstartError, match="camembert is post-norm"):
        import_fairseq(folder, tmp_path / "out", tokenizer="none", family="camembert")


def test_files_without_settings_or_weights(tmp_path: Path) -> None:
    settings = make_settings()
    state = make_state(settings)
    for content, told in (
        (state, "no settings: neither args nor cfg"),
        ({"args": settings}, "no weights: model is not in it"),
        ([1, 2], "a file without parts by name"),
        (make_checkpoint(settings, {"x": "y"}), "something other than tensors"),
    ):
        folder = write_folder(tmp_path / "ck", settings, state, content=content)
        with pytest.raises(ModelError, match=told):
            import_fairseq(folder, tmp_path / "out", tokenizer="none")


def test_the_result_is_plain_values(tmp_path: Path) -> None:
    settings = make_settings()
    folder = write_folder(tmp_path / "ck", settings, make_state(settings))
    imported = import_fairseq(folder, tmp_path / "out", tokenizer="none")
    values = json.loads(json.dumps(imported.to_dict()))
    assert (values["family"], values["total"]) == ("roberta", imported.total)
    assert values["sizes"]["layers"] == 2
    assert "attention heads" in str(imported)
