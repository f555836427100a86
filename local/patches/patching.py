"""How a patch takes hold of moto and lets go of it again."""

import functools
import inspect
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

PATCHES: list["Patch"] = []


@dataclass(frozen=True, eq=False)
class Patch:
    """One function or property of moto that is wrapped while patches are applied.

    Attributes:
        owner: The class or module of moto that is patched.
        attribute: The name in it.
        function: What it does instead; its docstring says what AWS does and what moto does.
    """

    owner: Any
    attribute: str
    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """Module and function of the patch, for messages."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Hold the patch in place until the block ends."""
        mine = self.attribute in vars(self.owner)
        found = inspect.getattr_static(self.owner, self.attribute, None)
        setattr(self.owner, self.attribute, self._around(found))
        try:
            yield
        finally:
            if mine:
                setattr(self.owner, self.attribute, found)
            else:
                delattr(self.owner, self.attribute)

    def _around(self, found: Any) -> Any:
        if isinstance(found, property):
            return property(self._wrapped(found.fget), found.fset)
        if isinstance(found, (staticmethod, classmethod)):
            return type(found)(self._wrapped(found.__func__))
        return self._wrapped(found)

    def _wrapped(self, original: Any) -> Callable[..., Any]:
        def patched(*args: Any, **kwargs: Any) -> Any:
            return self.function(original, *args, **kwargs)

        return functools.wraps(original or self.function)(patched)


def patch(owner: Any, attribute: str) -> Callable[[Callable[..., Any]], Patch]:
    """Register a function as the patch of an attribute of moto.

    Args:
        owner: The class or module of moto that is patched.
        attribute: The function, method or property in it; one that does not exist is added.

    Returns:
        A decorator; its function is called with moto's own one first (None where there is none), then as moto's is.
    """

    def register(function: Callable[..., Any]) -> Patch:
        PATCHES.append(Patch(owner, attribute, function))
        return PATCHES[-1]

    return register


class Applications:
    """Counts who wants the patches, so that nested blocks apply and remove them once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._stack = ExitStack()

    def enter(self, without: Collection[Patch]) -> bool:
        """Apply all patches but some, unless they are applied already; says whether they were applied now."""
        with self._lock:
            if self._depth and without:
                raise RuntimeError("Patches that are applied already cannot be left out.")
            self._depth += 1
            if self._depth > 1:
                return False
            for one in PATCHES:
                if one not in without:
                    self._stack.enter_context(one.applied())
            return True

    def leave(self) -> bool:
        """Remove the patches when the outermost block ends; says whether they were removed now."""
        with self._lock:
            self._depth -= 1
            if self._depth:
                return False
            self._stack.close()
            return True
