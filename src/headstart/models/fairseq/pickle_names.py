"""Lists the classes and functions that a fairseq checkpoint may name; all else is refused."""

from __future__ import annotations

import re
from typing import Final

#: Formats of numbers by torch's names of storages.
STORAGES: Final = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_FORMATS: Final = ("float", "half", "double", "long", "int", "short", "bool")
_ALLOWED: Final = frozenset(
    {
        *("argparse.Namespace", "collections.OrderedDict", "collections.defaultdict", "collections.Counter"),
        *("collections.deque", "_codecs.encode", "copyreg._reconstructor", "operator.getitem"),
        *(
            "torch._utils._rebuild_tensor",
            "torch._utils._rebuild_tensor_v2",
            "torch._utils._rebuild_parameter",
        ),
        *("torch.nn.parameter.Parameter", "torch.Size", "torch.device"),
        *(f"torch.{name}" for name in STORAGES),
        *(f"torch.{name}" for name in (*STORAGES.values(), *_FORMATS)),
        *(
            "numpy.core.multiarray.scalar",
            "numpy.core.multiarray._reconstruct",
            "numpy.dtype",
            "numpy.ndarray",
        ),
        *("numpy._core.multiarray.scalar", "numpy._core.multiarray._reconstruct"),
        *(
            f"builtins.{name}"
            for name in ("object", "type", "bool", "int", "float", "complex", "str", "bytes")
        ),
        *(f"builtins.{name}" for name in ("set", "frozenset", "dict", "list", "tuple", "bytearray")),
        *("builtins.long", "builtins.unicode"),  # of Python 2, as which pickles write int and str
        *("pathlib.Path", "pathlib.PosixPath", "pathlib.PurePosixPath"),
    }
)
#: Packages whose classes hold settings and meters of training; never imported here.
_PACKAGES: Final = ("fairseq", "omegaconf", "typing")
#: Names of modules in Python 2, and private ones, under which pickles write the public.
_RENAMED: Final = {"__builtin__": "builtins", "copy_reg": "copyreg", "_operator": "operator"}
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def normalise_name(module: str, name: str) -> str:
    """`builtins.set` of what Python 2 wrote as `__builtin__.set`."""
    return f"{_RENAMED.get(module, module)}.{name}"


def is_allowed(module: str, name: str) -> bool:
    """Whether a checkpoint may name it: as data, for nothing is imported and nothing is called.

    A dot within `name` is a look-up inside of what was named, which no checkpoint needs.
    """
    if not all(map(_IDENTIFIER.fullmatch, (*module.split("."), name))):
        return False
    return module.split(".")[0] in _PACKAGES or normalise_name(module, name) in _ALLOWED
