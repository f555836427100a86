import pytest

from tasks.upload_validate.settings import Settings, fault_of_dsn
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
    assert settings.profile == "polling-stations"
    assert settings.error_limit == 50
    assert settings.file_limit == 1000
    assert settings.github_api_url == "https://api.github.com"
    assert settings.council_api_url == "https://wheredoivote.co.uk/api/beta/councils"
    assert settings.logging_level == "INFO"
    assert settings.max_receives is None
    assert settings.superseded_files == "keep"
    unset = (
        "quarantine_bucket",
        "table_schema",
        "github_key",
        "webhook_key",
        "error_report_email",
        "sender_email",
        "sentry_dsn",
        "dead_letter_queue",
    )
    assert {getattr(settings, name) for name in unset} == {""}


def test_mails_come_from_whom_they_go_to_unless_a_sender_is_set():
    assert Settings.read({**REQUIRED, "ERROR_REPORT_EMAIL": "a@b.org"}).sender_email == "a@b.org"


def test_keys_are_not_shown_with_the_settings():
    secrets = {"GITHUB_API_KEY": "secret-1", "WDIV_API_KEY": "secret-2", "SENTRY_DSN": "https://secret-3@x/1"}
    secrets["WDIV_WEBHOOK_URL"] = "https://example.org/secret-4"
    settings = Settings.read({**REQUIRED, **secrets})
    assert (settings.github_key, settings.webhook_key) == ("secret-1", "secret-2")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("missing", REQUIRED)
def test_setting_that_is_missing_is_named(missing):
    assert refusal_of(Settings, {**REQUIRED, missing: ""}).startswith(f"{missing} is not set: ")


def test_all_that_are_missing_are_named_at_once():
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
        ("ERROR_REPORT_EMAIL", "nobody", "ERROR_REPORT_EMAIL is 'nobody': it should be an e-mail address"),
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
def test_address_over_https_or_of_this_machine_is_taken(name, value):
    assert value in vars(Settings.read({**REQUIRED, name: value})).values()


@pytest.mark.parametrize("name", ["/wdiv/url", "ssm:url", "secretsmanager:wdiv#url", "arn:aws:ssm:eu-west-1:1:x"])
def test_address_of_the_webhook_may_be_in_an_entry(name):
    assert Settings.read({**REQUIRED, "WDIV_WEBHOOK_URL": name}).webhook_url == name
    assert "GITHUB_API_URL is no address" in refusal_of(Settings, {**REQUIRED, "GITHUB_API_URL": name})


@pytest.mark.parametrize("dsn", ["http://secret@sentry.example.org/1", "ftp://secret@x/1", "https://"])
def test_dsn_that_is_not_safe_is_refused_where_it_is_read_and_not_shown(dsn):
    said = fault_of_dsn(dsn)
    assert said.startswith("SENTRY_DSN ") and "https://key@example.org/1" in said
    assert "secret" not in said
    # A wrong one does not keep the function from its work.
    assert Settings.read({**REQUIRED, "SENTRY_DSN": dsn}).sentry_dsn == dsn


@pytest.mark.parametrize("name", ["GITHUB_API_KEY", "WDIV_API_KEY"])
@pytest.mark.parametrize("key", ["sec\nret", "sec\0ret", "secrét", '{"token": "secret"}'])
def test_key_that_no_header_can_have_is_refused_and_not_shown(name, key):
    said = refusal_of(Settings, {**REQUIRED, name: key})
    assert said.startswith(f"{name} ") and "sec" not in said and said.count(";") == 0


@pytest.mark.parametrize("dsn", ["https://key@sentry.example.org/1", "/sentry/dsn", "secretsmanager:sentry#dsn"])
def test_dsn_or_the_name_of_its_entry_is_taken(dsn):
    assert Settings.read({**REQUIRED, "SENTRY_DSN": dsn}).sentry_dsn == dsn
