import pytest

from tasks.archive_copy.settings import CopySettings, Settings
from tasks.utils.errors import SettingsError
from tasks.utils.settings import QueueSettings, TelemetrySettings

MAP = '{".hdf": "protected", "other": "public"}'
REQUIRED = {"bucket_map": MAP}


def test_settings_that_are_not_set_have_their_documented_defaults():
    settings = Settings.read(REQUIRED)
    copying = CopySettings(3, 0.0, 8, "carry", "refuse", False)
    assert settings == Settings("", settings.bucket_map, {}, copying, QueueSettings("", "", None), TelemetrySettings())
    assert settings.bucket_map.buckets == {".hdf": "protected", "other": "public"}


def test_settings_that_are_set_count():
    settings = Settings.read(
        {
            **REQUIRED,
            "SOURCE_BUCKET": "source",
            "copy_retries": "5",
            "copy_retry_sleep_secs": "0.5",
            "COPY_CONCURRENCY": "2",
            "ANNOTATIONS": "ignore",
            "OLDER_VERSIONS": "allow",
            "DIRECT_REQUESTS": "on",
            "WORK_QUEUE": "https://work",
            "DEAD_LETTER_QUEUE": "https://queue",
            "MAX_RECEIVES": "4",
            "LOGGING_LEVEL": "debug",
            "DEPLOYMENT": "bucket-brigade",
        }
    )
    copying, queue = (
        CopySettings(5, 0.5, 2, "ignore", "allow", True),
        QueueSettings("https://work", "https://queue", 4),
    )
    assert settings == Settings(
        "source", settings.bucket_map, {}, copying, queue, TelemetrySettings("DEBUG", "bucket-brigade")
    )


def test_upper_case_names_are_read_as_well():
    settings = Settings.read({"BUCKET_MAP": MAP, "COPY_RETRIES": "7", "COPY_RETRY_SLEEP_SECS": "2"})
    assert (settings.copying.retries, settings.copying.retry_sleep_secs) == (7, 2.0)


def test_both_spellings_with_one_value_are_fine_and_with_two_are_not():
    assert Settings.read({**REQUIRED, "copy_retries": "7", "COPY_RETRIES": "7"}).copying.retries == 7
    with pytest.raises(SettingsError, match="copy_retries and COPY_RETRIES are both set and differ: set one of them"):
        Settings.read({**REQUIRED, "copy_retries": "7", "COPY_RETRIES": "8"})


@pytest.mark.parametrize("blank", ["", "  "])
def test_blank_number_is_not_set(blank):
    settings = Settings.read({**REQUIRED, "copy_retries": blank, "copy_retry_sleep_secs": blank})
    assert (settings.copying.retries, settings.copying.retry_sleep_secs) == (3, 0.0)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("copy_retries", "0", "copy_retries is '0': it should be a whole number from 1 to 100"),
        ("copy_retries", "-1", "copy_retries is '-1'"),
        ("copy_retries", "three", "copy_retries is 'three'"),
        ("copy_retries", "2.5", "copy_retries is '2.5'"),
        ("copy_retry_sleep_secs", "-1", "copy_retry_sleep_secs is '-1': it should be a number from 0 to 60"),
        ("copy_retry_sleep_secs", "nan", "copy_retry_sleep_secs is 'nan'"),
        ("copy_retry_sleep_secs", "inf", "copy_retry_sleep_secs is 'inf'"),
        ("COPY_CONCURRENCY", "0", "COPY_CONCURRENCY is '0'"),
        ("LOGGING_LEVEL", "loud", "LOGGING_LEVEL is 'loud': it should be one of DEBUG, INFO, WARNING, ERROR"),
        ("OLDER_VERSIONS", "overwrite", "OLDER_VERSIONS is 'overwrite': it should be one of refuse, allow"),
        ("bucket_map", "", "bucket_map is not set: a JSON object such as {"),
        ("bucket_map", "{", "bucket_map is not JSON ("),
        ("bucket_map", "[]", "bucket_map is a JSON list and should be an object"),
        ("bucket_map", "{}", "bucket_map names no bucket; an example: {"),
        ("bucket_map", '{"hdf": "x"}', 'bucket_map has the key "hdf": a key is an extension with its dot, or "other"'),
        ("bucket_map", '{".a": "x", ".b": {"bucket": "y", "k": 1, "l": 2}}', 'has "l" for ".b": only bucket and'),
    ],
)
def test_setting_that_is_wrong_is_named_with_its_shape(name, value, said):
    with pytest.raises(SettingsError) as raised:
        Settings.read({**REQUIRED, name: value})
    assert said in str(raised.value)


def test_all_problems_are_reported_at_once():
    with pytest.raises(SettingsError) as raised:
        Settings.read({"copy_retries": "0", "COPY_CONCURRENCY": "x"})
    assert all(name in str(raised.value) for name in ("bucket_map", "copy_retries", "COPY_CONCURRENCY"))


def test_map_that_is_in_a_parameter_is_read_by_its_name():
    settings = Settings.read({**REQUIRED, "bucket_map": "ssm:/a/map"}, {"/a/map": MAP}.get)
    assert settings.bucket_map.buckets == {".hdf": "protected", "other": "public"}


def test_parameter_that_cannot_be_read_is_one_of_the_problems():
    def refuse(name):
        raise SettingsError(f"the parameter {name} cannot be read: no such parameter")

    with pytest.raises(SettingsError) as raised:
        Settings.read({"bucket_map": "ssm:/a/map", "copy_retries": "0"}, refuse)
    assert "bucket_map: the parameter /a/map cannot be read: no such parameter" in str(raised.value)
    assert "copy_retries" in str(raised.value)
