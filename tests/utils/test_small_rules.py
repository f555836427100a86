"""Addresses, deadlines, part plans and settings."""

import itertools
import json
import logging
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.object_clerk import errors
from tasks.object_clerk.errors import ObjectClerkException
from tasks.object_clerk.parts import GIB, MAX_OBJECT, MAX_PART, MAX_PARTS, MIB, MIN_PART, Part, plan
from tasks.utils.deadline import Deadline
from tasks.utils.errors import SettingsError
from tasks.utils.s3_object import S3Object, printable
from tasks.utils.settings import Environment
from tests.support.keys import HAND_PICKED, keys


def test_address_prints_as_a_url_with_its_version():
    assert str(S3Object("bucket", "a/é b.txt")) == "s3://bucket/a/é b.txt"
    assert str(S3Object("bucket", "a", "v1")) == "s3://bucket/a?versionId=v1"


def test_address_gives_boto3_its_version_only_where_it_has_one():
    assert S3Object("b", "k").parameters == {"Bucket": "b", "Key": "k"}
    assert S3Object("b", "k", "v").parameters == {"Bucket": "b", "Key": "k", "VersionId": "v"}


@pytest.mark.parametrize("key", HAND_PICKED)
def test_hand_picked_key_prints_in_one_line(key):
    assert printable(str(S3Object("bucket", key))) == str(S3Object("bucket", key))
    assert len(str(S3Object("bucket", key)).splitlines()) == 1


@given(key=keys())
def test_any_key_prints_in_one_line_of_characters_that_print(key):
    assert str(S3Object("bucket", key)).isprintable()


HOSTILE = "a\r\n2026-11-21 INFO forged\x1b[2J\0\u2028\u202e\udc80.txt"


def test_address_of_a_message_prints_in_one_line_whatever_bucket_and_version_it_names():
    assert str(S3Object(HOSTILE, HOSTILE, HOSTILE)).isprintable()


def all_errors(kind=errors.BucketBrigadeError):
    """Return the errors that all tasks share. The others derive from them, and depend on which tests are loaded."""
    found = [kind, *itertools.chain.from_iterable(map(all_errors, kind.__subclasses__()))]
    return [each for each in found if each.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", all_errors())
def test_text_of_an_error_is_one_line_whatever_it_quotes(kind):
    assert "forged" in str(kind(HOSTILE)) and str(kind(HOSTILE)).isprintable()


def test_text_of_an_error_about_an_object_is_one_line_whatever_it_quotes():
    # A path of this machine may be in the place of an address.
    error = ObjectClerkException(HOSTILE, operation=HOSTILE, source=HOSTILE, destination=S3Object(HOSTILE, HOSTILE))
    assert str(error).isprintable()


@pytest.mark.parametrize("said", [("%s: %s", "key", HOSTILE), (HOSTILE,)], ids=["argument", "message"])
def test_line_of_a_work_module_is_one_line_whatever_it_quotes(caplog, said):
    logging.getLogger("bucket_brigade").warning(*said)
    (message,) = caplog.messages
    assert "forged" in message and message.isprintable()


def test_deadline_of_lambda_keeps_time_back_to_answer(monkeypatch):
    monkeypatch.setattr("tasks.utils.deadline.monotonic", lambda: 1000.0)
    deadline = Deadline.of_lambda(SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000), reserve=5)
    assert deadline.remaining() == 55
    monkeypatch.setattr("tasks.utils.deadline.monotonic", lambda: 1055.0)
    assert (deadline.remaining(), deadline.has_passed()) == (0, True)


def test_deadline_without_a_context_never_passes():
    assert not Deadline.of_lambda(None).has_passed()
    assert Deadline.of_lambda(None).remaining() == float("inf")


@given(size=st.integers(0, MAX_OBJECT), part_size=st.integers(MIN_PART, MAX_PART))
def test_plan_covers_every_byte_once_within_the_limits_of_s3(size, part_size):
    parts = plan(size, part_size=part_size)
    assert len(parts) <= MAX_PARTS
    assert sum(part.size for part in parts) == size
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert all(before.last + 1 == after.first for before, after in zip(parts, parts[1:]))
    assert all(MIN_PART <= part.size <= MAX_PART for part in parts[:-1])
    assert not parts or parts[0].first == 0
    assert not parts or 1 <= parts[-1].size <= MAX_PART


@pytest.mark.parametrize(
    "size, part_size, count, step",
    [
        (0, MIN_PART, 0, None),
        (1, MIN_PART, 1, 1),
        (MIN_PART, MIN_PART, 1, MIN_PART),
        (MIN_PART + 1, MIN_PART, 2, MIN_PART),
        # The smallest part size reaches up to 10,000 parts of 5 MiB.
        (10_000 * MIN_PART, MIN_PART, 10_000, MIN_PART),
        (10_000 * MIN_PART + 1, MIN_PART, 8334, 6 * MIB),
        (5 * GIB, 128 * MIB, 40, 128 * MIB),
        (MAX_OBJECT, MIN_PART, 10_000, MAX_PART),
    ],
)
def test_plan_of_a_boundary_size(size, part_size, count, step):
    parts = plan(size, part_size=part_size)
    assert len(parts) == count
    assert step is None or parts[0].size == step


@pytest.mark.parametrize(
    "size, part_size", [(-1, MIN_PART), (MAX_OBJECT + 1, MIN_PART), (1, MIN_PART - 1), (1, MAX_PART + 1)]
)
def test_plan_beyond_the_limits_is_refused(size, part_size):
    with pytest.raises(ValueError, match="bytes, not"):
        plan(size, part_size=part_size)


def test_part_asks_for_its_bytes_with_both_ends_included():
    assert Part(1, 0, 9).range_header == "bytes=0-9"
    assert Part(1, 0, 9).size == 10


def test_error_names_operation_source_destination_and_tries():
    places = {"source": S3Object("a", "k"), "destination": S3Object("b", "k")}
    error = ObjectClerkException("AccessDenied", operation="copy_object", **places)
    assert str(error) == "copy_object s3://a/k -> s3://b/k: AccessDenied"
    error.attempts = 3
    assert str(error).endswith("AccessDenied (tried 3 times)")
    assert str(ObjectClerkException("AccessDenied")) == "AccessDenied"


def test_every_error_is_drawn_in_the_tree_and_what_is_retryable_is_transient():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 8
    for kind in kinds:
        assert kind.__name__ in errors.__doc__
        assert kind.transient or not kind.retryable


@given(value=st.text())
def test_any_text_for_a_number_is_a_number_or_a_sentence(value):
    environment = Environment({"N": value})
    number = environment.integer("N", default=3, least=1, most=9)
    assert 1 <= number <= 9
    assert all(problem.startswith("N is ") for problem in environment.problems)


def test_required_number_that_is_missing_is_named_with_its_shape():
    environment = Environment({})
    environment.integer("N", least=1, most=9)
    environment.number("M")
    with pytest.raises(SettingsError, match="N is not set: a whole number from 1 to 9; M is not set: a number"):
        environment.finish()


def test_object_that_is_not_set_has_its_default():
    assert Environment({}).json_object("O", default={"a": 1}) == {"a": 1}


@pytest.mark.parametrize("owner, shown", [("1234", '"1234"'), (123456789012, "123456789012"), (None, "null")])
def test_account_that_is_wrong_is_named_with_its_bucket(owner, shown):
    environment = Environment({"BUCKET_OWNERS": json.dumps({"*": "123456789012", "shared": owner})})
    environment.bucket_owners()
    (problem,) = environment.problems
    assert problem.startswith(
        f'BUCKET_OWNERS has {shown} for "shared": an account is a text of 12 digits; an example: '
    )
