"""`headstart push` against a stand-in of the hub: what it receives, what is refused, where no token is."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

import headstart
from headstart.cli import main
from headstart.errors import HeadstartError, HubError, ModelError
from headstart.store.model_notes import NOTES_FILE
from hub_stand_in import TOKEN, Answer, Hub, serve_hub

REPO = "me/reviews"
ARMS = {
    "full": {},
    "lora": {"method": "lora"},
    "probe": {"method": "probe"},
    "words": {"method": "bag-of-words"},
}
ECHO = f"you sent {TOKEN}".encode()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve_hub(monkeypatch) as served:
        yield served


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory, study_in: Callable[..., Path]) -> Path:
    """The folder of a study with a model of each kind."""
    folder = tmp_path_factory.mktemp("pushed")
    headstart.run(headstart.load_study(study_in(folder, arms=ARMS, control="full", confounded=True)))
    return folder / "out"


@pytest.fixture
def model(studied: Path, tmp_path: Path) -> Path:
    """A copy of the whole model, which belongs to no study."""
    return Path(shutil.copytree(studied / "models" / "full", tmp_path / "model"))


def received(hub: Hub, branch: str = "main") -> dict[str, bytes]:
    files = hub.repositories[REPO].branches[branch]
    return {name: content for name, content in files.items() if name != ".gitattributes"}


def catch(**changes: Any) -> HubError:
    with pytest.raises(HubError) as caught:
        headstart.push(changes.pop("folder"), REPO, **changes)
    return caught.value


@pytest.mark.parametrize("arm", ["full", "words", "lora", "probe"])
def test_the_hub_gets_the_files_of_the_folder_byte_for_byte(studied: Path, hub: Hub, arm: str) -> None:
    pushed = headstart.push(studied, REPO, arm=arm)
    folder, files = studied / "models" / arm, received(hub)
    changed = {file.path for file in pushed.files if file.changed}
    assert changed == {"lora": {"adapter_config.json"}, "probe": {NOTES_FILE}}.get(arm, set())
    assert set(files) == {file.path for file in pushed.files}
    assert set(files) | set(pushed.left_out) == {file.name for file in folder.iterdir()}
    assert set(pushed.left_out) <= {"model.safetensors.index.json"}
    for file in pushed.files:
        assert hashlib.sha256(files[file.path]).hexdigest() == file.sha256
        assert len(files[file.path]) == file.size
        if not file.changed:
            assert files[file.path] == (folder / file.path).read_bytes()
    for content in files.values():
        assert str(studied.parent).encode() not in content
        assert TOKEN.encode() not in content
    there = hub.repositories[REPO]
    assert there.private
    assert pushed.private
    assert pushed.created
    assert (pushed.commit, pushed.url) == (there.heads["main"], f"{hub.address}/{REPO}")
    assert hub.commits[0]["summary"] == f"Upload {arm}, fine-tuned with Headstart"
    assert set(hub.tokens) <= {f"Bearer {TOKEN}", None}
    assert f"Bearer {TOKEN}" in hub.tokens


def test_an_adapters_base_is_named_and_said_to_be_needed(studied: Path, hub: Hub, tiny_model: Path) -> None:
    pushed = headstart.push(studied, REPO, arm="lora")
    config = json.loads(received(hub)["adapter_config.json"])
    assert config["base_model_name_or_path"] == tiny_model.name
    same = json.loads((studied / "models/lora/adapter_config.json").read_text("utf-8"))
    assert config == same | {"base_model_name_or_path": tiny_model.name}
    assert any("who loads the model needs the same" in note for note in pushed.notes)
    assert f"Fine-tuned from `{tiny_model.name}`" in pushed.card


def test_an_exported_model_is_pushed_with_a_card_of_its_own(studied: Path, hub: Hub, tmp_path: Path) -> None:
    headstart.export(studied / "models" / "lora", tmp_path / "whole")
    pushed = headstart.push(tmp_path / "whole", REPO, public=True)
    assert "merged with its base" in pushed.card
    assert "This folder holds an adapter" not in pushed.card
    assert "library_name: transformers" in pushed.card
    assert not hub.repositories[REPO].private
    assert "adapter_config.json" not in received(hub)


def test_nothing_but_the_model_goes_out(model: Path, hub: Hub) -> None:
    for name in ("train.csv", "predictions.parquet", ".env", "optimizer.pt", "pytorch_model.bin", "notes.md"):
        (model / name).write_text("private", encoding="utf-8")
    (model / "checkpoint").mkdir()
    (model / "checkpoint" / "model.safetensors").write_bytes(b"state")
    pushed = headstart.push(model, REPO)
    assert not any(b"private" in content for content in received(hub).values())
    assert {"train.csv", ".env", "optimizer.pt", "checkpoint/", "notes.md"} <= set(pushed.left_out)


def test_a_dry_run_connects_to_nothing(
    studied: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    words = ["push", str(studied), "--arm", "words", "--repo", REPO, "--dry-run"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert hub.asked == []
    for file in told["files"]:
        content = (studied / "models/words" / file["path"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert any(
            file["path"] in line and f"{file['size']:,}" in line and file["sha256"][:16] in line
            for line in shown.splitlines()
        )
    assert (told["dry_run"], told["private"], told["commit"]) == (True, True, None)
    assert told["card"] == (studied / "models/words/README.md").read_text("utf-8")
    assert "dry run, nothing was sent" in shown
    assert "# words, from the study" in shown


def test_a_second_push_of_the_same_is_none_and_another_kind_takes_the_old_files_away(
    studied: Path, hub: Hub
) -> None:
    headstart.push(studied, REPO, arm="lora")
    assert "adapter_model.safetensors" in received(hub)
    pushed = headstart.push(studied, REPO, arm="full")
    assert pushed.created is False
    assert set(pushed.removed) == {"adapter_config.json", "adapter_model.safetensors"}
    assert "adapter_model.safetensors" not in received(hub)
    assert "model.safetensors" in received(hub)


def test_a_branch_of_its_own(model: Path, hub: Hub) -> None:
    pushed = headstart.push(model, REPO, revision="v2/try", message="the second")
    assert received(hub) == {}
    assert "model.safetensors" in received(hub, "v2/try")
    assert hub.commits[0]["summary"] == "the second"
    assert pushed.url.endswith(f"{REPO}/tree/v2/try")
    headstart.push(model, REPO, revision="v2/try")


def test_files_of_others_stay_what_they_are_without_force(model: Path, hub: Hub) -> None:
    hub.add(REPO, {"README.md": b"mine", "config.json": b"{}", "big.bin": b"1", ".gitattributes": b""})
    error = catch(folder=model)
    assert "README.md, big.bin, config.json" in str(error)
    assert "--force" in str(error)
    assert hub.commits == []
    headstart.push(model, REPO, force=True)
    assert received(hub)["big.bin"] == b"1"
    assert received(hub)["config.json"] == (model / "config.json").read_bytes()


def test_a_public_repository_takes_no_private_push(model: Path, hub: Hub) -> None:
    hub.add(REPO, {}, private=False)
    assert "everyone could read" in str(catch(folder=model))
    assert headstart.push(model, REPO, public=True).private is False


@pytest.mark.parametrize(
    ("part", "answer", "words"),
    [
        (
            "GET /api/models",
            Answer(401, ECHO, {"X-Error-Message": ECHO.decode()}),
            "does not accept the token",
        ),
        ("repos/create", Answer(403, ECHO, {"X-Error-Message": ECHO.decode()}), "may not write"),
        ("/commit/", Answer(404, b'{"error": "%s"}' % ECHO), "knows no such repository"),
        ("/commit/", Answer(409, b'{"error": "%s"}' % ECHO), "somebody else is changing"),
        ("/commit/", Answer(412, ECHO), "committed to it meanwhile"),
        ("repos/create", Answer(503, ECHO), "the hub returned an error (HTTP 503)"),
        ("/commit/", Answer(500, ECHO), "the repository me/reviews was created"),
        ("GET /api/models", Answer(200, b"<html>" + ECHO), "does not come from a hub"),
        ("GET /api/models", Answer(200, b"[]"), "does not come from a hub"),
        ("GET /api/models", Answer(200, b'{"id": "me/reviews"}'), "does not come from a hub"),
        ("GET /api/models", Answer(302, b"", {"Location": "/api/models/me/reviews"}), "redirects in a loop"),
        (
            "/commit/",
            Answer(200, b'{"commitUrl": "%s", "commitOid": "%s"}' % (ECHO, ECHO)),
            "does not come from a hub",
        ),
        ("preupload", Answer(200, b'{"files": "%s"}' % ECHO), "does not come from a hub"),
        (
            "validate-yaml",
            Answer(400, b'{"errors": [{"message": "%s"}], "warnings": [{"message": "%s"}]}' % (ECHO, ECHO)),
            "refuses the model card: - you sent (token)",
        ),
        ("/lfs/", Answer(403, ECHO, {"X-Error-Message": ECHO.decode()}), "may not write"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(getattr(value, "status", "")),
)
def test_each_answer_of_the_hub_is_one_sentence_without_the_token(
    model: Path,
    hub: Hub,
    tmp_path: Path,
    part: str,
    answer: Answer,
    words: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    hub.faults[part] = answer
    caplog.set_level(logging.DEBUG)
    error = catch(folder=model)
    assert words in str(error)
    told = "".join(traceback.format_exception(error))
    assert (error.__cause__, error.__context__) == (None, None)
    hub.repositories.clear()
    assert main(["push", str(model), "--repo", REPO]) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.err.count("error:") == 1
    for text in (told, shown.out, shown.err, caplog.text, *(str(one.message) for one in recwarn)):
        assert TOKEN not in text
    assert not any(TOKEN.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_hub_that_warns_of_the_card_is_quoted_without_the_token(
    model: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.warnings.append(f"no license; {TOKEN}")
    assert main(["push", str(model), "--repo", REPO, "--json"]) == 0
    shown = capsys.readouterr()
    assert TOKEN not in shown.out + shown.err
    assert any("no license; (token)" in note for note in json.loads(shown.out)["notes"])


def test_a_hub_that_is_not_reached(model: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot reach the hub" in str(catch(folder=model))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HF_TOKEN", "", "no Hugging Face token"),
        ("HF_TOKEN", "hf_é", "contains invalid characters"),
        ("HF_ENDPOINT", "http://example.com", "unencrypted"),
        ("HF_ENDPOINT", "gopher://x", "is not a valid address"),
        ("HF_ENDPOINT", f"https://me:{TOKEN}@example.com", "is not a valid address"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_asked(
    model: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, words: str
) -> None:
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setenv(name, value)
    told = str(catch(folder=model))
    assert words in told
    assert TOKEN not in told
    assert hub.asked == []


def test_offline_is_respected(model: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in str(catch(folder=model))
    assert hub.asked == []


@pytest.mark.parametrize(
    "repo", ["", "x", "a/b/c", "me/", "/x", "me/..", "me/a b", "me/x.git", "me/" + "a" * 99]
)
def test_a_repository_has_an_id(model: Path, hub: Hub, repo: str) -> None:
    with pytest.raises(HubError, match="is not a repository id"):
        headstart.push(model, repo, dry_run=True)


@pytest.mark.parametrize("revision", ["", "a..b", "/x", "x/", "-x", "a b", "x.lock", "é", "a" * 300])
def test_a_branch_has_a_name(model: Path, hub: Hub, revision: str) -> None:
    with pytest.raises(HubError, match="is not a branch name"):
        headstart.push(model, REPO, revision=revision)
    assert hub.asked == []


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("model.safetensors", cut, "model.safetensors"),
        ("model.safetensors", Path.unlink, "no weights"),
        ("config.json", Path.unlink, "no config.json"),
        ("config.json", cut, "config.json"),
        ("README.md", Path.unlink, "the model card, is missing"),
        ("README.md", lambda file: file.write_text("---\na: [\n---\n"), "is no YAML"),
        ("README.md", lambda file: file.write_text(f"---\na: 1\n---\n{Path.home()}/x"), "home folder"),
    ],
)
def test_what_is_not_whole_stays(
    model: Path, hub: Hub, name: str, change: Callable[[Path], object], words: str
) -> None:
    change(model / name)
    with pytest.raises(ModelError, match=words):
        headstart.push(model, REPO)
    assert hub.asked == []


def test_a_model_that_its_run_did_not_leave_so_stays(studied: Path, hub: Hub, tmp_path: Path) -> None:
    out = Path(shutil.copytree(studied, tmp_path / "out"))
    file = out / "models" / "full" / "config.json"
    file.write_text(file.read_text("utf-8") + "\n", encoding="utf-8")
    with pytest.raises(ModelError, match="is not the file that run full/all/0 wrote"):
        headstart.push(out, REPO, arm="full")
    assert hub.asked == []


def test_a_study_with_several_models_asks_for_the_arm(studied: Path, hub: Hub) -> None:
    with pytest.raises(ModelError, match="several models") as caught:
        headstart.push(studied, REPO)
    assert "full, lora, probe, words" in str(caught.value)
    with pytest.raises(HeadstartError, match="no model for arm 'x'"):
        headstart.push(studied, REPO, arm="x")
    with pytest.raises(HeadstartError, match="not a study's"):
        headstart.push(studied / "models" / "full", REPO, arm="full")
    with pytest.raises(HeadstartError, match="no such folder"):
        headstart.push(studied / "nowhere", REPO)
