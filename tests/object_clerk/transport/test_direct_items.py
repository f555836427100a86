"""Direct requests to DynamoDB and their answers are those of botocore."""

import json
from unittest.mock import patch

import pytest
from botocore.exceptions import ConnectionClosedError

from tasks.object_clerk.transport.direct_dynamodb import DirectDynamoDB
from tests.object_clerk.transport.ways import is_direct, said

ITEM = {"Key": {"S": "a/ü"}, "Revision": {"N": "7"}, "Made": {"M": {"ETag": {"S": '"e"'}}}, "Skipped": {"BOOL": True}}
PUT = {"TableName": "objects", "Item": ITEM, "ConditionExpression": "attribute_not_exists(Revision)"}


def test_item_is_put_and_read_with_botocores_requests(tables):
    asked = {"TableName": "objects", "Key": {"Key": {"S": "a"}}}
    for operation, parameters in (("put_item", PUT), ("get_item", asked)):
        ordinary, short = both_with_json(tables, operation, parameters)
        assert short == ordinary


def both_with_json(tables, operation, parameters):
    """Yield what both ways send, without the signature: the same JSON may be written in several ways."""
    tables.answers, tables.sent = [(200, {"content-length": "2"}, b"{}")], []
    getattr(tables.ordinary, operation)(**parameters)
    getattr(tables.direct, operation)(**parameters)
    for request in tables.sent:
        method, url, headers, body = said(request)
        for name in ("authorization", "x-amz-date", "content-length", "accept-encoding"):
            headers.pop(name, None)
        yield method, url, headers, json.loads(body)


def test_answer_about_an_item_is_parsed_as_botocore_does(tables):
    body = json.dumps({"Item": ITEM}).encode()
    tables.answers = [(200, {"content-length": str(len(body))}, body)]
    asked = {"TableName": "objects", "Key": {"Key": {"S": "a"}}}
    assert tables.direct.get_item(**asked)["Item"] == tables.ordinary.get_item(**asked)["Item"] == ITEM


FAILED = b'{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"why"}'


def test_failed_condition_is_botocores_error_and_is_not_repeated(tables):
    tables.sent = []
    body = FAILED % b"ConditionalCheckFailedException"
    ordinary, short = tables.outcomes("put_item", 400, {"content-length": str(len(body))}, body, **PUT)
    assert short == ordinary
    assert [is_direct(request) for request in tables.sent] == [False, True]


@pytest.mark.parametrize(
    "failure",
    [
        (400, {}, FAILED % b"ThrottlingException"),
        (500, {}, b""),
        ConnectionClosedError(endpoint_url="https://dynamodb"),
    ],
    ids=["throttled", "broken", "lost"],
)
def test_failed_put_of_an_item_is_repeated_by_botocore(tables, failure):
    tables.sent, tables.answers = [], [failure, failure, (200, {"content-length": "2"}, b"{}")]
    with patch("time.sleep"):
        tables.direct.put_item(**PUT)
    assert [is_direct(request) for request in tables.sent] == [True, False, False]


def test_request_without_credentials_goes_via_botocore(tables):
    client = DirectDynamoDB(tables.ordinary, None)
    tables.sent, tables.answers = [], [(200, {"content-length": "2"}, b"{}")]
    client.put_item(**PUT)
    assert [is_direct(request) for request in tables.sent] == [False]
