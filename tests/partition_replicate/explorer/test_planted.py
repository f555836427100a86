"""The explorer finds the errors that other tests plant, as far as it has a model of them."""

import importlib
import inspect
from contextlib import contextmanager

import pytest

from tests.partition_replicate import test_convergence
from tests.partition_replicate.explorer.bounds import Bounds, Policy, any_of
from tests.partition_replicate.explorer.explore import Explorer, Violation
from tests.partition_replicate.explorer.mirror import Mirror
from tests.partition_replicate.processes import container

CURRENT = Policy("current", is_versioned=False)
HIDDEN = (("put",), ("delete",), ("remove an older version", "remove the newest version", "put"))
TWO_WORKERS = Bounds(any_of(2), faults=0, switches=1)

# Where each is found.
FOUND = {
    "no recheck": (CURRENT, Bounds(any_of(2), workers=1)),
    "no compare-and-swap": (Policy(), Bounds(any_of(1), workers=1)),
    "no compare-and-swap of the row": (Policy(), TWO_WORKERS),
    "no second observation": (CURRENT, TWO_WORKERS),
    "no record of what was made": (Policy(), Bounds(any_of(1), workers=1)),
    "a marker is gone where a HEAD finds none": (Policy(), Bounds(HIDDEN, workers=1, faults=0)),
}
# All objects of the model are smaller than a part, and it has no annotations.
NOT_MODELLED = {
    "no annotations",
    "an upload of a dead worker stays",
    "an upload whose beginning was not answered stays",
}


@contextmanager
def planted(monkeypatch, name):
    """Plant an error; a container's own way to plant one is undone after the block."""
    if name in test_convergence.PLANTED:
        monkeypatch.setattr(*test_convergence.PLANTED[name][:3])
        yield
        return
    owners = list(all_owners())
    before = [dict(vars(owner)) for owner in owners]
    try:
        container.PLANTED[name]()
        yield
    finally:
        for owner, attributes in zip(owners, before):
            for attribute in [each for each, value in vars(owner).items() if attributes.get(each) is not value]:
                setattr(owner, attribute, attributes[attribute])


def all_owners():
    """Yield each module that `container.py` imports from the mirror, and each class of it."""
    for module in [each for each in vars(container).values() if inspect.ismodule(each)]:
        if module.__name__.startswith("tasks.partition_replicate."):
            yield module
            yield from (
                each for each in vars(importlib.import_module(module.__name__)).values() if inspect.isclass(each)
            )


@pytest.mark.parametrize("name", FOUND)
def test_explorer_finds_what_is_planted(monkeypatch, name):
    policy, bounds = FOUND[name]
    with planted(monkeypatch, name), Mirror(policy) as mirror, pytest.raises(Violation) as found:
        Explorer(mirror, bounds).run()
    print(found.value)


@pytest.mark.parametrize("name", FOUND)
def test_explorer_finds_nothing_where_nothing_is_planted(name):
    policy, bounds = FOUND[name]
    with Mirror(policy) as mirror:
        assert Explorer(mirror, bounds).run().ends


def test_each_planted_error_is_found_or_not_modelled():
    assert set(FOUND) | NOT_MODELLED == set(test_convergence.PLANTED) | set(container.PLANTED)
