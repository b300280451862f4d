"""A study file is read with 1.2's numbers, overrides and anchored paths; every mistake is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.config.load import dump_study, load_study
from headstart.config.runs import expand_runs
from headstart.config.study import Study
from headstart.errors import StudyError

BASE = "data: {path: a.csv}\nmodel: m\n"
SOURCES = ("train", "path", "hub", "asset")


def write(folder: Path, text: str) -> Path:
    file = folder / "study.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(folder: Path, text: str, *overrides: str) -> list[str]:
    """The problems of a study, without the folder's name."""
    with pytest.raises(StudyError) as caught:
        load_study(write(folder, text), overrides)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("written", ["1e-5", "1E-5", "0.00001", "1.0e-5", "'1e-5'"])
def test_rate_without_a_dot_is_a_number(tmp_path: Path, written: str) -> None:
    study = load_study(write(tmp_path, BASE + f"training: {{learning_rate: {written}}}\n"))
    assert study.training.learning_rate == 1e-5


def test_yaml_1_1_booleans_are_words(tmp_path: Path) -> None:
    assert load_study(write(tmp_path, BASE + "question: no\n")).question == "no"


@pytest.mark.parametrize("value", ["auto", "on", "off"])
def test_on_and_off_of_the_execution_are_words_too(tmp_path: Path, value: str) -> None:
    study = load_study(write(tmp_path, BASE + f"execution: {{compile: {value}}}\n"))
    assert (study.execution.compile, study.execution.graph) == (value, "auto")
    assert load_study(write(tmp_path, dump_study(study))) == study


def test_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    assert load_study(write(tmp_path, "\ufeff" + BASE)).model == "m"


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    text = BASE + "seeds: 0\ntraining:\n  epoch: 3\n  batch_size: 0\narms:\n  random:\n    methd: full\n"
    assert problems(tmp_path, text) == [
        "study.yaml:9: arms.random.methd: unknown key; did you mean 'method'?",
        "study.yaml:3: seeds: at least 1 seed expected, got 0",
        "study.yaml:6: training.batch_size: input should be greater than or equal to 1, got 0",
        "study.yaml:5: training.epoch: unknown key; did you mean 'epochs'?",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("model: ''", "study.yaml:2: model: string should have at least 1 character, got ''"),
        ("data: 3", "study.yaml:2: data: a section of keys expected, got 3"),
        ("sizes: [2, abc]", "study.yaml:2: sizes.1: input should be a valid integer"),
        (
            "device: mps",
            "study.yaml:2: device: auto, cpu or cuda expected, got 'mps'; "
            "Apple's GPUs are not supported: set cpu",
        ),
        (
            "execution: {graph: on}",
            "study.yaml:2: execution.graph: input should be 'auto' or 'off', got 'on'",
        ),
        ("sizes: [2, 2]", "study.yaml:2: sizes: each at most once expected, got [2, 2]"),
        ("curves: [train]", "study.yaml:2: curves.0: input should be 'valid' or 'test', got 'train'"),
        ("select: {metric: bleu}", "study.yaml:2: select.metric: 'bleu' is not a metric of classification"),
        ("control: x", "study.yaml:2: control: no arm is named 'x'"),
        ("arms: 3", "study.yaml:2: arms: a section of keys expected, got 3"),
        ("arms: {}", "study.yaml:2: arms: at least one arm expected"),
        ("arms: {a b: {}}", "study.yaml:2: arms: arm name 'a b': letters, digits"),
        ("training: {betas: [0.9]}", "study.yaml:2: training.betas.1: is missing"),
        ("workers: many", "study.yaml:2: workers: input should be a valid integer"),
    ],
)
def test_mistake_is_named_with_line_and_key(tmp_path: Path, line: str, message: str) -> None:
    base = {"data": "{path: a.csv}", "model": "m"}
    base.pop(line.split(":")[0], None)
    text = "# a comment\n" + line + "\n" + "".join(f"{key}: {value}\n" for key, value in base.items())
    (found,) = problems(tmp_path, text)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seeds: []", "seeds: at least one expected, got an empty list"),
        ("sizes: []", "sizes: at least one expected, got an empty list"),
        ("curves: []", "curves: at least one expected, got an empty list"),
        ("arms: []", "arms: a section of keys expected, got []"),
        ("arms: {}", "arms: at least one arm expected"),
        ("tune: {}", "tune: learning_rate or weight_decay expected, or both, got neither"),
        ("tune: {learning_rate: []}", "tune.learning_rate: at least one expected, got an empty list"),
        ("tune: {learning_rate: {full: []}}", "tune.learning_rate: at least one expected, got an empty list"),
        ("tune: {weight_decay: []}", "tune.weight_decay: at least one expected, got an empty list"),
        (
            "tune: {weight_decay: [0], seeds: []}",
            "tune.seeds: at least one expected, got an empty list",
        ),
        ("training: {betas: []}", "training.betas.0: is missing"),
        ("training: {learning_rate: []}", "training.learning_rate: input should be a valid number, got []"),
        (
            "arms: {a: {method: lora, lora: {target: []}}}",
            "arms.a.lora.target: attention, mlp, all or names of layers expected, got []",
        ),
        (
            "arms: {a: {method: lora, lora: {target: [query, '']}}}",
            "arms.a.lora.target: attention, mlp, all or names of layers expected, got ['query', '']",
        ),
        ("out: ''", "out: string should have at least 1 character, got ''"),
        ("control: ''", "control: no arm is named ''; the arms are pretrained, random, words"),
    ],
)
def test_empty_value_is_refused(tmp_path: Path, line: str, message: str) -> None:
    assert problems(tmp_path, f"{BASE}{line}\n")[0] == f"study.yaml:3: {message}"


@pytest.mark.parametrize("line", ["samples: []", "differs_in: []", "prompts: {}", "training: {}"])
def test_empty_value_that_asks_for_nothing_is_read(tmp_path: Path, line: str) -> None:
    assert load_study(write(tmp_path, f"{BASE}{line}\n")) == load_study(write(tmp_path, BASE))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        *((f"{key}: ''", f"data.{key}: string should have at least 1 character") for key in SOURCES),
        *(
            (f"train: a.csv, {key}: ''", f"data.{key}: string should have at least 1 character")
            for key in ("valid", "test")
        ),
        ("path: a.csv, text: []", "data.text: input should be a valid string, got []"),
        ("path: a.csv, prompt: []", "data.prompt: input should be a valid string, got []"),
        ("path: a.csv, label: []", "data.label: input should be a valid string, got []"),
        ("path: a.csv, label_names: []", "data: label_names: at least one name expected, and each once"),
    ],
)
def test_empty_value_of_the_data_is_refused(tmp_path: Path, source: str, message: str) -> None:
    text = f"model: m\ntask: multi-label\ndata: {{{source}}}\n"
    said, *_ = problems(tmp_path, text)
    assert said.startswith(f"study.yaml:3: {message}")


def test_line_is_that_of_the_list_item(tmp_path: Path) -> None:
    assert problems(tmp_path, BASE + "seeds:\n  - 1\n  - x\n")[0].startswith("study.yaml:5: seeds.1: ")


def test_key_close_to_none_lists_the_known_ones(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, BASE + "select: {zzzzzz: 1}\n")
    assert message == "study.yaml:3: select.zzzzzz: unknown key; the keys here are metric, on"


@pytest.mark.parametrize("key", ["strategy", "interval", "int", "str", "floats"])
def test_unknown_key_named_like_a_type_is_named(tmp_path: Path, key: str) -> None:
    (message,) = problems(tmp_path, BASE + f"{key}: 3\n")
    assert message.startswith(f"study.yaml:3: {key}: unknown key; ")


@pytest.mark.parametrize("arm", ["strong", "int8", "float", "tuple_1", "constrained"])
def test_arm_named_like_a_type_keeps_its_name_in_messages(tmp_path: Path, arm: str) -> None:
    text = BASE + f"arms:\n  {arm}:\n    training: {{epochs: 0}}\n"
    (message,) = problems(tmp_path, text)
    assert message.startswith(f"study.yaml:5: arms.{arm}.training.epochs: input should be")


def test_missing_keys_are_named(tmp_path: Path) -> None:
    assert problems(tmp_path, "seeds: 1\n") == [
        "study.yaml: data: is missing",
        "study.yaml: model: is missing",
    ]


def test_duplicate_key_is_refused_with_its_line(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, BASE + "model: x\n")
    assert message.startswith('study.yaml:3: not YAML: found duplicate key "model"')


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    assert problems(tmp_path, BASE + "seeds: [1\nsizes: 3\n")[0].startswith("study.yaml:4: not YAML: ")


def test_impossible_date_is_no_traceback(tmp_path: Path) -> None:
    assert problems(tmp_path, BASE + "question: 2020-13-45\n")[0].startswith("study.yaml: not YAML: month")


def test_mistake_in_a_merged_key_names_the_section(tmp_path: Path) -> None:
    text = BASE + "training: &t {epochs: 0}\narms:\n  a:\n    training:\n      <<: *t\n"
    assert [message.split(" ")[0] for message in problems(tmp_path, text)] == [
        "study.yaml:6:",
        "study.yaml:3:",
    ]


@pytest.mark.parametrize("text", ["", "- a\n", "words\n", "3\n"])
def test_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == ["study.yaml: contains no study: lines of `key: value` expected"]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"none\.yaml: no such file: `headstart init DATA`"):
        load_study(tmp_path / "none.yaml")


def test_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(b"question: caf\xe9\n")
    with pytest.raises(StudyError, match="cannot be read: not UTF-8 text"):
        load_study(file)


def test_override_wins_over_the_file(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, BASE + "seeds: 2\n"), ["seeds=5"])
    assert study.seeds == (0, 1, 2, 3, 4)


def test_override_makes_the_sections_it_needs(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, BASE), ["training.learning_rate=3e-5", "data.split.seed=7"])
    assert (study.training.learning_rate, study.data.split.seed) == (3e-5, 7)


def test_override_leaves_the_keys_beside_it(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, BASE + "training: {epochs: 9}\n"), ["training.batch_size=4"])
    assert (study.training.epochs, study.training.batch_size) == (9, 4)


def test_override_takes_any_yaml_value(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, BASE), ["sizes=[10, all]", "question=a = b"])
    assert (study.sizes, study.question) == ((10, "all"), "a = b")


@pytest.mark.parametrize("override", ["arms.words=null", "arms.words=", "arms.words=false"])
@pytest.mark.parametrize("arms", ["", "arms:\n", "arms: {pretrained: {}, random: {init: random}}\n"])
def test_override_takes_the_bag_of_words_out(tmp_path: Path, arms: str, override: str) -> None:
    assert list(load_study(write(tmp_path, BASE + arms), [override]).arms) == ["pretrained", "random"]


def test_override_of_one_default_arm_keeps_the_others(tmp_path: Path) -> None:
    changes = ["arms.random.training.learning_rate=1e-4", "confounded=true"]
    study = load_study(write(tmp_path, BASE), changes)
    assert list(study.arms) == ["pretrained", "random", "words"]
    assert study.arms["random"].init == "random"
    assert study.arms["random"].training.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seeds", "command line: seeds: `key=value` expected, such as seeds=5"),
        ("=5", "command line: =5: `key=value` expected, such as seeds=5"),
        ("seeds=[1", "command line: seeds: '[1' is not a YAML value"),
        ("seeds=0", "command line: seeds: at least 1 seed expected, got 0"),
        ("training.epochs=0", "command line: training.epochs: input should be greater than or equal to 1"),
        ("training={epochs: 0}", "command line: training.epochs: input should be greater than"),
        ("trainin.epochs=1", "command line: trainin: unknown key; did you mean 'training'?"),
        (
            "learning_rate=3",
            "command line: learning_rate: unknown key; did you mean 'training.learning_rate'?",
        ),
        ("lr=3", "command line: lr: unknown key; did you mean 'training.learning_rate'?"),
        ("learning_rat=3", "command line: learning_rat: unknown key; did you mean 'training.learning_rate'?"),
        (
            "num_train_epochs=3",
            "command line: num_train_epochs: unknown key; did you mean 'training.epochs'?",
        ),
        ("training.seeds=3", "command line: training.seeds: unknown key; did you mean 'seeds'?"),
        ("data.margin=3", "command line: data.margin: unknown key; did you mean 'margin'?"),
        (
            "arms.random.learning_rate=3",
            "command line: arms.random.learning_rate: unknown key; did you mean "
            "'arms.random.training.learning_rate'?",
        ),
        (
            "arms.random.rank=3",
            "command line: arms.random.rank: unknown key; did you mean 'arms.random.lora.r'?",
        ),
        ("data.split.valid=0.9", "command line: data.split: valid + test is 1.1; below 1 expected"),
        ("model=", "command line: model: input should be a valid string, got None"),
    ],
)
def test_mistake_of_an_override_stands_on_the_command_line(
    tmp_path: Path, override: str, message: str
) -> None:
    (found,) = problems(tmp_path, BASE + "seeds: 3\n", override)
    assert found.startswith(message)


def test_paths_are_relative_to_the_study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    text = "data: {train: a.csv, valid: sub/b.csv, test: /abs/c.csv}\nmodel: m\nout: results\n"
    study = load_study(write(tmp_path, text))
    assert (study.data.train, study.data.valid) == (str(tmp_path / "a.csv"), str(tmp_path / "sub/b.csv"))
    assert (study.data.test, study.out) == ("/abs/c.csv", str(tmp_path / "results"))


def test_default_out_is_beside_the_study_file(tmp_path: Path) -> None:
    assert load_study(write(tmp_path, BASE)).out == str(tmp_path / "runs/study")


@pytest.mark.parametrize("override", ["data.path=b.csv", "data={path: b.csv}"])
def test_overridden_paths_are_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    study = load_study(write(tmp_path, BASE), [override, "out=results"])
    assert (study.data.path, study.out) == (str(here / "b.csv"), str(here / "results"))


def test_checkpoint_is_a_folder_where_one_is_there(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    text = "data: {path: a.csv}\nmodel: small\narms: {a: {init: org/small}, b: {init: ./absent}}\n"
    study = load_study(write(tmp_path, text))
    assert study.model == str(tmp_path / "small")
    assert (study.arms["a"].init, study.arms["b"].init) == ("org/small", str(tmp_path / "absent"))


def test_init_random_is_never_a_folder(tmp_path: Path) -> None:
    (tmp_path / "random").mkdir()
    assert load_study(write(tmp_path, BASE)).arms["random"].init == "random"


ROUND_TRIPS = {
    "defaults": "",
    "steps": "training: {steps: 100, learning_rate: 1e-5}\n",
    "arm steps": "confounded: true\narms: {a: {training: {steps: 9}}, random: {init: random}}\n",
    "arm back to epochs": "confounded: true\ntraining: {steps: 9}\narms: {a: {training: {steps: null}}}\n",
    "words taken out": "arms: {pretrained: {}, words: null}\n",
    "another arm called words": "arms: {words: {init: random}, a: {}}\n",
    "bag of words under another name": "arms: {a: {}, bag: {method: bag-of-words}}\n",
    "strings that look like others": "question: '1e-5'\ncontrol: '7'\narms: {'7': {init: 'null'}}\n",
    "a long question": f"question: '{'Is it: # true? ' * 20}'\n",
    "unicode": "question: Les critiques françaises \U0001f600 aident-elles ?\n",
    "lists": "seeds: [4, 2]\nsizes: [10, all]\ncurves: [valid, test]\nworkers: 2\n",
    "multi-label": "task: multi-label\nselect: {metric: micro_f1}\n",
}


@pytest.mark.parametrize("more", ROUND_TRIPS.values(), ids=ROUND_TRIPS.keys())
def test_dumped_study_reads_back_equal(tmp_path: Path, more: str) -> None:
    study = load_study(write(tmp_path, BASE + more))
    (tmp_path / "elsewhere").mkdir()
    again = load_study(write(tmp_path / "elsewhere", dump_study(study)))
    assert again == study
    assert expand_runs(again) == expand_runs(study)


def test_dumped_pair_study_reads_back_equal(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, "data: {train: a.csv, test: b.csv, text: [a, b]}\nmodel: m\n"))
    assert load_study(write(tmp_path, dump_study(study))) == study


def test_dump_spells_out_the_defaults() -> None:
    text = dump_study(Study.model_validate({"data": {"path": "a.csv"}, "model": "m"}))
    assert "  batch_size: 16\n" in text
    assert "seeds:\n  - 0\n  - 1\n  - 2\n" in text
    assert "    method: bag-of-words\n" in text


def test_override_of_steps_takes_the_files_epochs_out(tmp_path: Path) -> None:
    text = BASE + "training: {epochs: 5, batch_size: 4}\n"
    training = load_study(write(tmp_path, text), ["training.steps=100"]).training
    assert (training.steps, "epochs" in training.model_fields_set, training.batch_size) == (100, False, 4)


def test_override_of_epochs_takes_the_files_steps_out(tmp_path: Path) -> None:
    text = BASE + "arms:\n  random: {init: random, training: {steps: 9}}\n"
    study = load_study(write(tmp_path, text), ["arms.random.training.epochs=2"])
    training = study.arms["random"].training
    assert (training.steps, training.epochs) == (None, 2)


def test_steps_set_to_null_leave_the_files_epochs(tmp_path: Path) -> None:
    text = BASE + "training: {epochs: 5}\n"
    assert load_study(write(tmp_path, text), ["training.steps=null"]).training.epochs == 5


def test_both_as_overrides_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="epochs and steps both set"):
        load_study(write(tmp_path, BASE), ["training.steps=9", "training.epochs=2"])


def test_parts_that_do_not_fit_are_told_all_at_once(tmp_path: Path) -> None:
    text = "data: {path: a.csv, label: [x, y]}\nmodel: m\nselect: {metric: bleu}\ncontrol: nobody\n"
    messages = problems(tmp_path, text)
    assert [problem.partition(": ")[0] for problem in messages] == [
        "study.yaml:3",
        "study.yaml:4",
        "study.yaml:1",
    ]
    assert [problem.split(": ")[1] for problem in messages] == ["select.metric", "control", "data.label"]


def test_arm_name_with_a_dot_is_refused(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, BASE + "arms: {v1.5: {}}\n")
    assert message == "study.yaml:3: arms: arm name 'v1.5': letters, digits, '_' and '-' expected"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tune: {}\n", "study.yaml:3: tune: learning_rate or weight_decay expected, or both, got neither"),
        ("tune:\n  learning_rat: [1]\n", "study.yaml:4: tune.learning_rat: unknown key; did you mean"),
        (
            "tune:\n  learning_rate:\n  - 1e-5\n  - 99\n",
            "study.yaml:6: tune.learning_rate.1: input should be",
        ),
        ("tune: {learning_rate: 1e-5}\n", "study.yaml:3: tune.learning_rate: a list expected, got 1e-05"),
        (
            "arms:\n  words:\n    method: bag-of-words\n    tune: {weight_decay: [1]}\n",
            "study.yaml:6: arms.words.tune: a bag of words chooses its own strength",
        ),
        (
            "tune: {learning_rate: [1e-5]}\narms:\n  my-arm:\n    training: {learning_rate: 1e-4}\n",
            "study.yaml:6: arms.my-arm.training.learning_rate: is set beside a grid",
        ),
        (
            "arms:\n  a:\n    tune: {learning_rate: [1e-5]}\n  r: {init: random}\n",
            "study.yaml:5: arms.a.tune: is learning_rate 1e-05 for a and no grid for its control r",
        ),
        (
            "arms:\n  tune:\n    metod: full\n",
            "study.yaml:5: arms.tune.metod: unknown key; did you mean 'method'",
        ),
    ],
)
def test_mistake_in_a_grid_is_named_with_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    (message,) = problems(tmp_path, BASE + text)
    assert message.startswith(expected)


def test_rate_of_an_override_beside_a_grid_is_named(tmp_path: Path) -> None:
    text = BASE + "tune: {learning_rate: [1e-5]}\narms: {a: {}}\n"
    (message,) = problems(tmp_path, text, "arms.a.training.learning_rate=1e-4")
    assert message.startswith("command line: arms.a.training.learning_rate: is set beside a grid")


def test_grid_comes_back_as_it_was_written(tmp_path: Path) -> None:
    text = BASE + "tune: {learning_rate: [1e-5, 0.00003]}\narms: {a: {tune: {weight_decay: [0, 0.1]}}}\n"
    study = load_study(write(tmp_path, text))
    assert load_study(write(tmp_path, dump_study(study))) == study
    assert study.arms["a"].tune is not None
    assert study.arms["a"].tune.weight_decay == (0, 0.1)


def test_grid_can_be_set_and_taken_out_from_the_command_line(tmp_path: Path) -> None:
    file = write(tmp_path, BASE + "tune: {learning_rate: [1e-5]}\n")
    grown = load_study(file, ["tune.learning_rate=[1e-5, 1e-4]"]).tune
    assert grown is not None
    assert grown.learning_rate == (1e-5, 1e-4)
    assert load_study(file, ["tune=null"]).tune is None


def test_what_is_no_study_file_is_told_of_init(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such file: `headstart init DATA` writes a study file"):
        load_study(tmp_path / "study.yaml")
    (tmp_path / "reviews.csv").write_text("text,label\na: b,c\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"a data file, not a study: `headstart init reviews\.csv` writes"):
        load_study(tmp_path / "reviews.csv")
