"""Tuning methods, one file and one object each: what they build, freeze, save, and let share a pack."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from headstart.config.traits import MethodName, get_method_traits

if TYPE_CHECKING:
    from headstart.methods.base import Method


def load_method(name: MethodName) -> Method:
    """The object of a method that is registered in `config.traits`."""
    method: Method = resolve_name(get_method_traits(name).implementation)
    return method
