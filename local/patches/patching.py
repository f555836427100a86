"""Registration, application and removal of patches."""

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
    """A wrapper around one function or property of moto, in place while patches are applied.

    Attributes:
        owner: The class or module of moto that is patched.
        attribute: The name of the patched attribute.
        function: The wrapper. Its docstring says what AWS does and what moto does.
    """

    owner: Any
    attribute: str
    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """Module and function of the patch, as in `sqs.receive_in_order`."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Apply the patch until the block ends."""
        is_own = self.attribute in vars(self.owner)
        original = inspect.getattr_static(self.owner, self.attribute, None)
        setattr(self.owner, self.attribute, self._replacement(original))
        try:
            yield
        finally:
            if is_own:
                setattr(self.owner, self.attribute, original)
            else:
                delattr(self.owner, self.attribute)

    def _replacement(self, original: Any) -> Any:
        if isinstance(original, property):
            return property(self._wrap(original.fget), original.fset)
        if isinstance(original, (staticmethod, classmethod)):
            return type(original)(self._wrap(original.__func__))
        return self._wrap(original)

    def _wrap(self, original: Any) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return self.function(original, *args, **kwargs)

        return functools.wraps(original or self.function)(wrapper)


def patch(owner: Any, attribute: str) -> Callable[[Callable[..., Any]], Patch]:
    """Register a function as the patch of an attribute of moto.

    Args:
        owner: The class or module of moto that is patched.
        attribute: The name of a function, method or property. The patch adds it if the owner lacks it.

    Returns:
        A decorator. The decorated function gets moto's function (None if there is none) and then moto's arguments.
    """

    def register(function: Callable[..., Any]) -> Patch:
        PATCHES.append(Patch(owner, attribute, function))
        return PATCHES[-1]

    return register


class PatchCounter:
    """Count of nested `applied` blocks: the outermost one applies and removes the patches."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._stack = ExitStack()

    def enter(self, without: Collection[Patch]) -> bool:
        """Apply all patches except `without` and return True; return False if an outer block has applied them."""
        with self._lock:
            if self._depth and without:
                raise RuntimeError("Patches that are already applied cannot be left out.")
            self._depth += 1
            if self._depth > 1:
                return False
            for registered in PATCHES:
                if registered not in without:
                    self._stack.enter_context(registered.applied())
            return True

    def leave(self) -> bool:
        """Remove the patches and return True; return False while an outer block remains."""
        with self._lock:
            self._depth -= 1
            if self._depth:
                return False
            self._stack.close()
            return True
