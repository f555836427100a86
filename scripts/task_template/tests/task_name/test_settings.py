import pytest

from tasks.task_name.settings import Settings
from tasks.utils.errors import SettingsError
from tasks.utils.settings import QueueSettings, TelemetrySettings


def test_settings_that_are_not_set_have_their_documented_defaults():
    queue = QueueSettings("", "", None)
    assert Settings.read({"SOURCE_BUCKET": "my-data"}) == Settings("my-data", {}, queue, TelemetrySettings())


def test_settings_that_are_set_count():
    values = {
        "SOURCE_BUCKET": "my-data",
        "BUCKET_OWNERS": '{"*": "123456789012"}',
        "WORK_QUEUE": "https://work",
        "DEAD_LETTER_QUEUE": "https://queue",
        "MAX_RECEIVES": "4",
        "LOGGING_LEVEL": "debug",
        "DEPLOYMENT": "bucket-brigade",
    }
    queue = QueueSettings("https://work", "https://queue", 4)
    telemetry = TelemetrySettings("DEBUG", "bucket-brigade")
    assert Settings.read(values) == Settings("my-data", {"*": "123456789012"}, queue, telemetry)


def test_all_problems_are_reported_at_once():
    with pytest.raises(SettingsError) as raised:
        Settings.read({"MAX_RECEIVES": "none", "LOGGING_LEVEL": "loud"})
    assert [problem.split()[0] for problem in str(raised.value).split("; ")] == [
        "SOURCE_BUCKET",
        "MAX_RECEIVES",
        "LOGGING_LEVEL",
    ]
