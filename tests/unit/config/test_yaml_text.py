"""Study files and overrides that ask for more than a study does: one message, with file and line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ruamel.yaml.parser import RoundTripParser

from headstart.config.load import load_study
from headstart.config.yaml_text import read_yaml
from headstart.errors import StudyError

HEAD = "data: {path: x.csv}\nmodel: m\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def refuse(folder: Path, text: str | bytes) -> str:
    file = folder / "study.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return refuse_file(file)


def refuse_file(file: Path) -> str:
    with pytest.raises(StudyError) as caught:
        load_study(file)
    message = str(caught.value)
    assert len(message) < 1000
    return message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "study.yaml:8: more than 200,000 values, once aliases are written out"),
        ("question: " + "[" * 3000, "study.yaml:3: more than 32 nested sections"),
        ("question: " + "{a: " * 3000, "study.yaml:3: more than 32 nested sections"),
        ("arms: &a {<<: *a, x: {}}", "study.yaml:3: *a contains itself"),
        ("sizes: &a [*a]", "study.yaml:3: *a contains itself"),
        ("seeds: !!bool x", "study.yaml:3: the tag "),
        ("seeds: !!python/object/apply:os.system [true]", "study.yaml:3: the tag "),
        ("question: !!binary aGk=", "study.yaml:3: the tag "),
        ("question: !mine x", "study.yaml:3: the tag !mine"),
        ("seeds: 1\nseeds: 2", 'study.yaml:4: not YAML: found duplicate key "seeds"'),
        ("[1, 2]: 3", "study.yaml:1: a list or a section as a key: text expected"),
        ("{a: 1}: 3", "a list or a section as a key: text expected"),
        ("arms: {null: {}}", "study.yaml:3: none as a key: text expected"),
        ("seeds: 1\n---\nseeds: 2", "but found another document"),
        ("training:\n\tepochs: 1", "study.yaml:4: not YAML: found character '\\t'"),
        ("seeds: " + "9" * 5000, "not YAML: Exceeds the limit"),
        ("question: 2020-13-45", "not YAML: month must be in 1..12"),
        ("question: a\0b", "not YAML: unacceptable character #x0000"),
        ('question: "\\ud800"', "an unpaired surrogate"),
        ('question: "\\U00110000"', "not YAML: "),
        ("seeds: *no", "study.yaml:3: not YAML: found undefined alias 'no'"),
    ],
)
def test_one_message_with_the_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in refuse(tmp_path, HEAD + text + "\n")


def test_a_directive_of_another_yaml(tmp_path: Path) -> None:
    assert "incompatible YAML" in refuse(tmp_path, f"%YAML 3.0\n---\n{HEAD}")


def test_other_encodings_than_utf_8(tmp_path: Path) -> None:
    assert "cannot be read: not UTF-8 text" in refuse(tmp_path, HEAD.encode("utf-16"))


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(HEAD, encoding="utf-8-sig")
    assert load_study(file).model == "m"


def test_a_file_that_is_no_study_by_its_size(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    with file.open("wb") as stream:
        stream.truncate(100_000_000)
    assert "more than 4,194,304 bytes: not a study file" in refuse_file(file)
    assert "at most 1,048,576 expected" in refuse(tmp_path, "#" + "x" * 1_100_000)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    kinds = {
        tmp_path / "pipe": "a named pipe",
        tmp_path / "folder": "a folder",
        Path("/dev/zero"): "a device",
    }
    for file, kind in kinds.items():
        assert f"{file}: is {kind}, not a file: the study file expected" in refuse_file(file)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "y/" * 3000, "~nobody-of-this-name/x"])
def test_names_that_no_file_has(name: str) -> None:
    message = refuse_file(Path(name)).removesuffix(": the study file expected")
    ends = ("is an invalid file name", "is not readable: File name too long", "writes a study file")
    assert message.endswith(ends)


@pytest.mark.parametrize("key", ["data.path", "model", "out", "data.train", "arms.pretrained.init"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("~nobody-of-this-name/x", "~nobody-of-this-name is not a user's home folder"),
        ("./" + "x" * 300, "a path of "),
        ("./" + "y/" * 3000, "a path of "),
        ('"./a\\0b"', "a path with a NUL character"),
    ],
)
def test_paths_that_no_file_has(key: str, name: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study({"data": {"path": "x"}, "model": "m"}, [f"{key}={name}"])
    assert f"command line: {key}: {said}" in str(caught.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("question=" + "[" * 5000, "command line: question: "),
        ('question="\\ud800"', "an unpaired surrogate"),
        ("question=\udcff", "unacceptable character #xdcff"),
        ("\udcff=1", "an unpaired surrogate"),
        ("seeds=!!bool x", "the tag "),
        ("seeds=&a [*a]", "*a contains itself"),
        (".".join(["data"] * 5000) + "=1", "not a study key: too many parts"),
        ("x" * 5000, "`key=value` expected"),
        ("seeds=" + "9" * 5000, "Exceeds the limit"),
        ("arms={[a]: 1}", "a list or a section as a key"),
        ("=1", "`key=value` expected"),
    ],
)
def test_overrides_go_through_the_same_door(override: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study({"data": {"path": "x"}, "model": "m"}, [override])
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_escaped_pairs_of_json_are_one_character() -> None:
    study = load_study({"data": {"path": "x"}, "model": "m"}, ['question="\\ud83d\\ude00"'])
    assert study.question == "\U0001f600"


def test_anchors_and_merges_are_still_read(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(
        f"{HEAD}arms:\n  a: &a {{training: &t {{epochs: 2}}}}\n  b: {{<<: *a, init: random}}\n"
        "  c: {method: lora, training: *t}\ncontrol: b\nconfounded: true\n"
    )
    arms = load_study(file).arms
    assert [arms[name].training.epochs for name in "abc"] == [2, 2, 2]


def test_plain_values_are_judged_like_a_file() -> None:
    with pytest.raises(StudyError, match=r"^study: data: a section of keys expected, got 3$"):
        load_study({"data": 3, "model": "m"})
    endless: dict[str, object] = {"model": "m"}
    endless["data"] = endless
    with pytest.raises(StudyError, match="sections nested without end"):
        load_study(endless)


def test_a_text_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To count what it asks for costs no second parse."""
    parsers: list[object] = []
    begin = RoundTripParser.__init__

    def count(self: RoundTripParser, loader: object) -> None:
        parsers.append(self)
        begin(self, loader)

    monkeypatch.setattr(RoundTripParser, "__init__", count)
    assert read_yaml("a: [1, 2]\nb: {c: d}\n") == {"a": [1, 2], "b": {"c": "d"}}
    assert len(parsers) == 1
