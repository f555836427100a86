import pytest

from tasks.mirror_check.settings import Settings
from tests.support.mirror_settings import MIRROR
from tests.support.refusals import refusal_of

REQUIRED = {**MIRROR, "OBJECTS_QUEUE": "https://objects", "WORK_QUEUE": "https://runs"}


def test_settings_that_are_not_set_repair_nothing_and_check_all_keys():
    settings = Settings.read(REQUIRED)
    assert settings.run == ((), False, 900.0, False)
    assert settings.mirror.dead_letters == ()


def test_all_that_is_missing_is_named_at_once():
    said = refusal_of(Settings, {})
    assert all(f"{name} is not set" in said for name in REQUIRED if name != "DEST_SECRET")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PREFIXES", "a/", 'PREFIXES should be a JSON list of texts such as ["a", "b"]'),
        ("PREFIXES", "[1]", 'PREFIXES should be a JSON list of texts such as ["a", "b"]'),
        ("REPAIR", "yes", "REPAIR is 'yes': it should be one of on, off"),
        ("LAG_SECONDS", "-1", "LAG_SECONDS"),
        ("DEST_BUCKET", "source", "an object cannot be mirrored onto itself"),
    ],
)
def test_setting_that_cannot_work_is_named_with_its_reason(name, value, said):
    assert said in refusal_of(Settings, {**REQUIRED, name: value})
