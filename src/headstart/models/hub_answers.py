"""Says in one sentence what a call of the hub ended with, without the token that the answer may repeat."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from huggingface_hub import get_token
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from headstart.data.controls import escape_hidden
from headstart.errors import HubError
from headstart.wording import cut_text

_Result = TypeVar("_Result")
#: Of the HTTP library that this version of huggingface_hub uses: what all its errors are.
_TransportError: Final[type[Exception]] = next(
    kind for kind in HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError"
)
#: What a malformed answer makes huggingface_hub raise, and what it says of an upload that broke off.
_MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError)
#: These repeat addresses, and what the hub answers.
_LOGGERS: Final = ("huggingface_hub", "httpx", "httpx2", "httpcore", "httpcore2", "hf_xet")
_WRITE: Final = "hf auth login, or HF_TOKEN, with a token that may write to {namespace}"
_MEANINGS: Final = {
    401: ("the hub does not accept the token", _WRITE),
    402: ("the hub asks for a payment", "see the account's billing page"),
    403: ("the token may not write there", f"{_WRITE}; check the name"),
    404: ("the hub knows no such repository or branch, or the token may not see it", _WRITE),
    409: ("somebody else is changing the repository", "push again"),
    412: ("somebody else committed to it meanwhile", "look at that commit, then push again"),
    413: ("a file is larger than the hub takes", "save the model in parts (max_shard_size)"),
    429: ("too many requests", "wait some minutes, then push again"),
}
_PROXY: Final = "check HF_ENDPOINT and the proxy settings"


def ask_hub(call: Callable[[], _Result], repo: str, made: str = "") -> _Result:
    """What `call`, of huggingface_hub, gives.

    Args:
        made: what was made before, for the message.

    Raises:
        HubError: it failed. No other error hangs on it: the library's repeat what the hub answered.
    """
    try:
        return call()
    except (_TransportError, OfflineModeIsEnabled, LocalTokenNotFoundError, OSError, RuntimeError) as error:
        found = _explain(error, repo)
    except _MALFORMED as error:
        found = _explain_answer(error, repo)
    found.got = f"{found.got}{f'; {made}nothing was uploaded to it' if made else ''}"
    raise HubError(found.got, where=found.where, expected=found.expected, fix=found.fix)


@contextmanager
def hear_hub() -> Iterator[list[str]]:
    """A block in which huggingface_hub prints, warns and logs nothing; gives what it warned of."""
    heard: list[str] = []
    had_bars = not are_progress_bars_disabled()
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    disable_progress_bars()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield heard
        heard += [hide_token(str(warning.message)) for warning in caught if warning.category is UserWarning]
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if had_bars:
            enable_progress_bars()


def hide_token(text: str) -> str:
    """The text on one line, cut, without the token."""
    token = get_token()
    plain = text.replace(token, "(token)") if token else text
    return cut_text(" ".join(escape_hidden(plain).split()), 300)


def _explain(error: BaseException, repo: str) -> HubError:
    """What an error of the transport, or an answer with an error's code, means."""
    response = getattr(error, "response", None)
    if isinstance(error, HfHubHTTPError) and response is not None:
        return _explain_status(error, int(response.status_code), repo)
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        return _explain(error.__cause__, repo)
    if isinstance(error, OfflineModeIsEnabled):
        return HubError("HF_HUB_OFFLINE is set, so nothing is sent", where=repo, fix="unset it")
    if isinstance(error, LocalTokenNotFoundError):
        return HubError("no Hugging Face token found", where=repo, fix="hf auth login")
    kind = type(error).__name__
    if kind == "TooManyRedirects":
        return HubError("the hub's address redirects in a loop", where=repo, fix=_PROXY)
    if isinstance(error, (_TransportError, ConnectionError)):
        what = hide_token(str(error)) or kind
        return HubError(f"cannot reach the hub: {what}", where=repo, fix=f"try again; {_PROXY}")
    return HubError(f"the upload broke off: {hide_token(str(error)) or kind}", where=repo, fix="push again")


def _explain_status(error: Any, status: int, repo: str) -> HubError:
    """An answer with an error's code."""
    if status >= 500:
        later = "push again later; https://status.huggingface.co has the hub's status"
        return HubError(f"the hub returned an error (HTTP {status})", where=repo, fix=later)
    says = hide_token(str(getattr(error, "server_message", None) or ""))
    words, fix = _MEANINGS.get(status, ("the hub refuses it", None))
    told = f"{words} (HTTP {status}{f': {says}' if says else ''})"
    return HubError(told, where=repo, fix=fix.format(namespace=repo.split("/")[0]) if fix else None)


def _explain_answer(error: Exception, repo: str) -> HubError:
    """What the library could not read, or a card that the hub refused."""
    text = str(error)
    if isinstance(error, ValueError) and text.startswith("Invalid metadata in README.md"):
        says = hide_token(text.removeprefix("Invalid metadata in README.md."))
        return HubError(f"the hub refuses the model card: {says}", where=repo, fix="fix the block at its top")
    return HubError("the response does not come from a hub", where=repo, fix=_PROXY)
