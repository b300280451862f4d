"""The security policy as far as a machine can hold it: what the source may not call, and how."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "headstart"
#: Modules that run what they read; names of theirs that do not.
RUNS_WHAT_IT_READS = ("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib")
HARMLESS = {"UnpicklingError"}
#: Calls that are refused wherever they stand.
REFUSED = {
    *("eval", "exec", "compile", "__import__", "input", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("os.system", "os.popen", "pty.spawn", "tempfile.mktemp", "shutil.unpack_archive"),
    *("pandas.read_pickle", "pd.read_pickle", "torch.jit.load", "torch.package.PackageImporter"),
}
#: What may stand once, with the reason.
ALLOWED = {
    # A wheel is unpacked after its SHA-256 was found to be the pinned one; zipfile drops "..".
    "data/assets.py: extractall",
    # What a node of the user's own cluster sends of its runs, into an empty folder, by tarfile's filter for
    # data: no absolute names, no "..", no links that lead out, no devices.
    "execute/ray/folders.py: extractall",
}
EVERYWHERE = ("0.0.0.0", "::")


def name_call(call: ast.Call) -> str:
    """`torch.load` of a call of it."""
    return ast.unparse(call.func)


def get_keyword(call: ast.Call, name: str) -> object:
    """A literal argument; None where there is none of this name, and an ellipsis where it is no literal."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value.value if isinstance(keyword.value, ast.Constant) else ...
    return None


def list_bad_imports(tree: ast.AST) -> Iterator[str]:
    """Imports of what runs what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.split(".")[0] in RUNS_WHAT_IT_READS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in RUNS_WHAT_IT_READS:
            yield from (one.name for one in node.names if one.name not in HARMLESS)


def is_unsafe(call: ast.Call) -> bool:
    """Whether a call is refused, or is made in a way that is."""
    name = name_call(call)
    last = name.rpartition(".")[2]
    return any(
        (
            name in REFUSED,
            last in ("extractall", "extract") and "." in name,
            name == "torch.load" and get_keyword(call, "weights_only") is not True,
            get_keyword(call, "shell") not in (None, False),
            get_keyword(call, "trust_remote_code") not in (None, False),
            get_keyword(call, "allow_pickle") not in (None, False),
            get_keyword(call, "verify") is False,
            name == "YAML" and get_keyword(call, "typ") == "unsafe",
            last == "Environment",  # of Jinja: the sandboxed one alone
        )
    )


def list_unsafe_calls(tree: ast.AST) -> Iterator[str]:
    """Names of calls that the policy refuses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_unsafe(node):
            yield name_call(node).rpartition(".")[2]


def list_open_addresses(tree: ast.AST) -> Iterator[str]:
    """Addresses that serve everybody."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in EVERYWHERE:
            yield str(node.value)


def find_all(look: Callable[[ast.AST], Iterator[str]]) -> set[str]:
    """What is found in the source, as `file: what`."""
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in SOURCE.rglob("*.py")}
    return {
        f"{file.relative_to(SOURCE).as_posix()}: {what}"
        for file, tree in trees.items()
        for what in look(tree)
    }


@pytest.mark.parametrize("look", [list_bad_imports, list_unsafe_calls, list_open_addresses])
def test_the_source_does_nothing_that_the_policy_refuses(look: Callable[[ast.AST], Iterator[str]]) -> None:
    assert find_all(look) <= ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "torch.load(file, weights_only=flag)",
        "np.load(file, allow_pickle=True)",
        "subprocess.run(words, shell=True)",
        "eval(text)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "jinja2.Environment()",
        "archive.extractall(folder)",
        "YAML(typ='unsafe')",
        "input('y/N')",
    ],
)
def test_what_is_refused_is_found(line: str) -> None:
    assert list(list_unsafe_calls(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ["torch.load(f, weights_only=True)", "model.eval()", "ast.literal_eval(text)", "re.compile(x)"]
)
def test_what_is_allowed_is_not(line: str) -> None:
    assert not list(list_unsafe_calls(ast.parse(line)))


@pytest.mark.parametrize("line", ["import pickle", "from pickle import loads", "import joblib.pool"])
def test_imports_that_are_refused_are_found(line: str) -> None:
    assert list(list_bad_imports(ast.parse(line)))


def test_transformers_is_told_each_time_to_run_no_code_of_a_checkpoint() -> None:
    """The library asks on the terminal where it is told nothing."""
    file = SOURCE / "models" / "library.py"
    loads = [
        call
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and name_call(call).endswith((".from_pretrained", ".from_config"))
    ]
    assert loads
    assert all(get_keyword(call, "trust_remote_code") is False for call in loads)
    elsewhere = find_all(list_loads)
    assert elsewhere <= {
        "models/library.py: AutoConfig.from_pretrained",
        "models/library.py: AutoTokenizer.from_pretrained",
        "models/library.py: auto_class.from_pretrained",
        "models/library.py: auto_class.from_config",
        # Of numbers alone, and of an adapter's weights on a model that already exists.
        "models/stop_ids.py: GenerationConfig.from_pretrained",
        "methods/load_adapters.py: import_peft().PeftModel.from_pretrained",
    }


def list_loads(tree: ast.AST) -> Iterator[str]:
    """Calls that load by transformers' and PEFT's names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_call(node).endswith((".from_pretrained", ".from_config")):
            yield name_call(node)


def test_ci_knows_the_policy() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "security advisor" in text.lower()
    for word in ("weights_only", "SHA-256", "sandbox", "revision"):
        assert word in text
