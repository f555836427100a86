import pytest

from tasks.upload_validate.settings import Checks, Settings, fault_of_dsn
from tasks.utils.settings import QueueSettings
from tests.support.refusals import refusal_of

REQUIRED = {
    "TEMP_BUCKET_NAME": "uploads",
    "FINAL_BUCKET_NAME": "published",
    "GITHUB_REPO": "octocat/imports",
    "WDIV_WEBHOOK_URL": "https://example.org/hook",
    "OUTCOMES_TABLE": "outcomes",
}


def test_settings_that_are_not_set_have_their_documented_defaults():
    settings = Settings.read(REQUIRED)
    notifications = settings.notifications
    assert settings.checks == Checks("polling-stations", table_schema="", error_limit=50, file_limit=1000)
    assert notifications.github.api_url == "https://api.github.com"
    assert notifications.council_api_url == "https://wheredoivote.co.uk/api/beta/councils"
    assert settings.telemetry.level == "INFO"
    assert settings.queue == QueueSettings(url="", dead_letter_queue="", max_receives=None)
    assert (settings.buckets.quarantine, settings.buckets.superseded) == ("", "keep")
    unset = (notifications.github.key, notifications.webhook.key, notifications.recipient, notifications.sender)
    assert {*unset, notifications.sentry_dsn} == {""}


def test_sender_of_mails_is_the_recipient_unless_it_is_set():
    assert Settings.read({**REQUIRED, "ERROR_REPORT_EMAIL": "a@b.org"}).notifications.sender == "a@b.org"


def test_keys_are_not_shown_with_the_settings():
    secrets = {"GITHUB_API_KEY": "secret-1", "WDIV_API_KEY": "secret-2", "SENTRY_DSN": "https://secret-3@x/1"}
    secrets["WDIV_WEBHOOK_URL"] = "https://example.org/secret-4"
    settings = Settings.read({**REQUIRED, **secrets})
    assert (settings.notifications.github.key, settings.notifications.webhook.key) == ("secret-1", "secret-2")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("missing", REQUIRED)
def test_setting_that_is_missing_is_named(missing):
    assert refusal_of(Settings, {**REQUIRED, missing: ""}).startswith(f"{missing} is not set: ")


def test_all_missing_settings_are_named_at_once():
    said = refusal_of(Settings, {})
    assert all(f"{name} is not set" in said for name in REQUIRED)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("GITHUB_REPO", "imports", "GITHUB_REPO is 'imports': it should be owner/name"),
        ("GITHUB_REPO", "a/b/../c", "GITHUB_REPO is 'a/b/../c'"),
        ("WDIV_WEBHOOK_URL", "example.org", "WDIV_WEBHOOK_URL is no address: it should be an https address such as"),
        ("COUNCIL_API_URL", "ftp://x", "COUNCIL_API_URL is no address"),
        ("GITHUB_API_URL", "x", "GITHUB_API_URL is no address"),
        ("ERROR_REPORT_EMAIL", "reports", "ERROR_REPORT_EMAIL is 'reports': it should be an e-mail address"),
        ("SUPERSEDED_FILES", "delete", "SUPERSEDED_FILES is 'delete': it should be one of keep, remove"),
        ("FILE_LIMIT", "0", "FILE_LIMIT is '0': it should be a whole number from 1 to 10000"),
        ("ERROR_LIMIT", "0", "ERROR_LIMIT is '0': it should be a whole number from 1 to 1000"),
        ("FINAL_BUCKET_NAME", "uploads", "FINAL_BUCKET_NAME is TEMP_BUCKET_NAME too"),
        ("QUARANTINE_BUCKET_NAME", "uploads", "QUARANTINE_BUCKET_NAME is TEMP_BUCKET_NAME too"),
        ("QUARANTINE_BUCKET_NAME", "published", "QUARANTINE_BUCKET_NAME is FINAL_BUCKET_NAME too"),
    ],
)
def test_setting_that_is_wrong_is_named_with_its_shape(name, value, said):
    assert said in refusal_of(Settings, {**REQUIRED, name: value})


ADDRESSES = ("WDIV_WEBHOOK_URL", "GITHUB_API_URL", "COUNCIL_API_URL")


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize(
    "value",
    [
        "http://example.org/secret",
        "HTTP://example.org/secret",
        "http://localhost.example.org/secret",
        "http://127.0.0.1.example.org/secret",
        "http://128.0.0.1/secret",
        "http://[::2]/secret",
        "https://user:secret@example.org/",
        "https://secret@example.org/",
        "http://127.0.0.1@example.org/secret",
        "https://example.org\\@127.0.0.1/secret",
        "https://example.org/a secret",
        "https://example.org/secret\tb",
        "https:///secret",
        "https://",
        "https://[::1/secret",
        "https://example.org:secret/",
        "//example.org/secret",
    ],
)
def test_address_that_is_not_safe_is_refused_and_not_shown(name, value):
    said = refusal_of(Settings, {**REQUIRED, name: value})
    assert said.startswith(f"{name} ") and "it should be an https address such as https://" in said
    assert said.count(";") == 0 and "secret" not in said


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize(
    "value",
    [
        "https://example.org",
        "https://example.org:8443/hook?a=b@c",
        "https://[2001:db8::1]/hook",
        "http://localhost:8080/hook",
        "http://127.0.0.1/hook",
        "http://127.255.0.9:1/hook",
        "http://[::1]:8080/hook",
    ],
)
def test_https_address_and_address_of_this_machine_are_accepted(name, value):
    notifications = Settings.read({**REQUIRED, name: value}).notifications
    assert value in (notifications.webhook.url, notifications.github.api_url, notifications.council_api_url)


@pytest.mark.parametrize("name", ["/wdiv/url", "ssm:url", "secretsmanager:wdiv#url", "arn:aws:ssm:eu-west-1:1:x"])
def test_address_of_the_webhook_may_be_in_an_entry(name):
    assert Settings.read({**REQUIRED, "WDIV_WEBHOOK_URL": name}).notifications.webhook.url == name
    assert "GITHUB_API_URL is no address" in refusal_of(Settings, {**REQUIRED, "GITHUB_API_URL": name})


@pytest.mark.parametrize("dsn", ["http://secret@sentry.example.org/1", "ftp://secret@x/1", "https://"])
def test_dsn_that_is_not_safe_is_refused_on_use_and_not_shown(dsn):
    said = fault_of_dsn(dsn)
    assert said.startswith("SENTRY_DSN ") and "https://key@example.org/1" in said
    assert "secret" not in said
    # A wrong DSN does not stop the function.
    assert Settings.read({**REQUIRED, "SENTRY_DSN": dsn}).notifications.sentry_dsn == dsn


@pytest.mark.parametrize("name", ["GITHUB_API_KEY", "WDIV_API_KEY"])
@pytest.mark.parametrize("key", ["sec\nret", "sec\0ret", "secrét", '{"token": "secret"}'])
def test_key_that_cannot_be_sent_in_a_header_is_refused_and_not_shown(name, key):
    said = refusal_of(Settings, {**REQUIRED, name: key})
    assert said.startswith(f"{name} ") and "sec" not in said and said.count(";") == 0


@pytest.mark.parametrize("dsn", ["https://key@sentry.example.org/1", "/sentry/dsn", "secretsmanager:sentry#dsn"])
def test_dsn_and_the_name_of_its_entry_are_accepted(dsn):
    assert Settings.read({**REQUIRED, "SENTRY_DSN": dsn}).notifications.sentry_dsn == dsn
