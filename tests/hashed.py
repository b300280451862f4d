"""What a study's folder holds that must be equal to the bit however it was trained."""

from __future__ import annotations

import hashlib
from pathlib import Path


def hash_results(out: Path) -> dict[str, str]:
    """Of predictions and models, but for cards, which name the folder."""
    files = [file for kind in ("runs/**/*.parquet", "models/**/*") for file in out.glob(kind)]
    return {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file() and file.name != "README.md"
    }
