"""The error of a task whose environment is invalid."""

import pytest

from tasks.utils.errors import SettingsError


def refusal_of(settings, values):
    """Read settings that are refused, and return the text of the error."""
    with pytest.raises(SettingsError) as raised:
        settings.read(values)
    return str(raised.value)
