"""`python -m headstart` is the command `headstart`, which imports nothing from the current folder either."""

import sys
from pathlib import Path

_CURRENT = Path.cwd().resolve()
_FIRST = Path(sys.path[0] or ".").resolve()
# Python puts the current folder first: a torch.py there would be run. Unless this package itself lies there.
if not sys.flags.safe_path and _FIRST == _CURRENT and Path(__file__).resolve().parents[1] != _CURRENT:
    del sys.path[0]

from headstart.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
