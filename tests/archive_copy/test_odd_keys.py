"""Legal but odd keys arrive under their own names, through each envelope."""

import json

import boto3
import pytest
from hypothesis import HealthCheck, given, settings

from tests.archive_copy.conftest import RESTORED
from tests.support.events import load, s3_event, s3_record, sqs_event
from tests.support.keys import HAND_PICKED, keys

ARCHIVE = "archive-of-all"


def in_s3(key):
    return s3_event(s3_record(RESTORED, key))


def in_sqs(key):
    return sqs_event(in_s3(key))


def in_sns(key):
    event = load("sns_s3_created")
    event["Records"][0]["Sns"]["Message"] = json.dumps(in_s3(key))
    return event


def in_eventbridge(key):
    event = load("eventbridge_restore_completed")
    event["detail"]["object"] = {"key": key}
    return event


ENVELOPES = [in_s3, in_sqs, in_sns, in_eventbridge]


@pytest.fixture(name="arrives")
def arrival(archive, s3, environment):
    environment(bucket_map=json.dumps({"other": ARCHIVE}))
    s3.create_bucket(Bucket=ARCHIVE, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})

    def check(key, envelope):
        s3.put_object(Bucket=RESTORED, Key=key, Body=key.encode())
        archive(envelope(key))
        assert s3.get_object(Bucket=ARCHIVE, Key=key)["Body"].read() == key.encode()

    return check


@pytest.mark.first_cases(2)
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_hand_picked_keys_arrive_under_their_own_names(arrives, envelope):
    for key in HAND_PICKED:
        arrives(key, envelope)


SETTINGS = settings(max_examples=75, deadline=None, suppress_health_check=list(HealthCheck))


# Keys in addition to the hand-picked ones.
@pytest.mark.parametrize("envelope", [in_s3, *(pytest.param(one, marks=pytest.mark.long) for one in ENVELOPES[1:])])
def test_generated_keys_arrive_under_their_own_names(arrives, envelope):
    given(key=keys())(settings(SETTINGS)(lambda key: arrives(key, envelope)))()


def test_nothing_but_the_keys_themselves_arrives(arrives):
    for key in HAND_PICKED:
        arrives(key, in_s3)
    listed = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=ARCHIVE)
    assert sorted(found["Key"] for page in listed for found in page["Contents"]) == sorted(HAND_PICKED)
