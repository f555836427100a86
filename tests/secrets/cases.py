"""Which of many cases are tried in `make test`."""

import pytest


def cases(named, quick):
    """Returns parameters of a test: those that are quick are for `make test`, all others for `make test-long`.

    Args:
        named: the values by name.
        quick: names, one or more for each kind of case.
    """
    assert set(quick) <= named.keys()
    return [
        pytest.param(value, marks=() if name in quick else pytest.mark.long, id=name) for name, value in named.items()
    ]
