"""The choice of cases for `make test`."""

import pytest


def cases(named, quick):
    """Return parameters of a test: the quick ones for `make test`, all others for `make test-long`.

    Args:
        named: name -> value.
        quick: names, at least one for each kind of case.
    """
    assert set(quick) <= named.keys()
    return [
        pytest.param(value, marks=() if name in quick else pytest.mark.long, id=name) for name, value in named.items()
    ]
