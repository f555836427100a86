"""What a task says of an environment that it cannot work with."""

import pytest

from tasks.utils.errors import SettingsError


def refusal_of(settings, values):
    """Reads settings that are refused, and returns why."""
    with pytest.raises(SettingsError) as raised:
        settings.read(values)
    return str(raised.value)
