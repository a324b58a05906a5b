"""Signatures checked for less, since the tests call small functions millions of times.

jaxtyping's import hook decorates every function with ``jaxtyping.jaxtyped``, which binds all arguments and checks them
twice, before the call and beside the result. Here arguments and result are checked once each, by the same checker
against the same annotations, and sizes are remembered only where a signature names some.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import jaxtyping
from jaxtyping import AbstractArray, jaxtyped
from jaxtyping._storage import pop_shape_memo, push_shape_memo

Function = Callable[..., Any]


def hints(function: types.FunctionType) -> dict[str, Any]:
    """The annotations; Any for names that exist only for type checkers."""
    found = {}
    for name, hint in function.__annotations__.items():
        alone = types.SimpleNamespace(__annotations__={name: hint})
        try:
            found |= typing.get_type_hints(alone, function.__globals__, include_extras=True)
        except NameError:
            found[name] = Any
    return found


def shapes(hint: Any) -> list[str]:
    """The sizes that an annotation names, as they are written."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return [hint.dim_str]
    return [shape for part in typing.get_args(hint) for shape in shapes(part)]


def checked(function: Any = None, *, typechecker: Callable[[Any], Any]) -> Any:
    """What ``jaxtyping.jaxtyped`` does to a function; classes and generators are left to it."""
    if function is None:
        return functools.partial(checked, typechecker=typechecker)
    if not isinstance(function, types.FunctionType) or inspect.isgeneratorfunction(function):
        return jaxtyped(function, typechecker=typechecker)
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    copy.__annotations__ = hints(function)
    if not copy.__annotations__:
        return function
    checking = typechecker(copy)
    sizes = [shape for hint in copy.__annotations__.values() for shape in shapes(hint)]
    # Some are computed of the arguments, as in "{self.heads} queries".
    signature = inspect.signature(function) if any("{" in shape for shape in sizes) else None

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        if jaxtyping.config.jaxtyping_disable:
            return function(*arguments, **named)
        if not sizes:
            return checking(*arguments, **named)
        bound: dict[str, Any] = {}
        if signature is not None:
            whole = signature.bind(*arguments, **named)
            whole.apply_defaults()
            bound = whole.arguments
        push_shape_memo(bound)
        try:
            return checking(*arguments, **named)
        finally:
            pop_shape_memo()

    return call
