from io import BytesIO

import pytest
from botocore.awsrequest import AWSResponse

from tasks.mirror_check.listings import Side, keep_xml
from tasks.object_clerk.errors import ObjectClerkServerInternalException
from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.utils.retry import RetryPolicy
from tests.support.stores import session

PAGE = b"<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>"
ERROR = b"<Error><Code>InternalError</Code></Error>"


class Raw(BytesIO):
    """The bytes of an answer."""

    def stream(self):
        """Return them, as urllib3 does."""
        return iter([self.read()])


@pytest.fixture(name="answered")
def side_that_is_answered():
    """Return a function that makes a side whose requests get these answers, all with status 200."""

    def answered(*bodies):
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
        client = keep_xml(session().client("s3", config=client_config(), **keys))
        left = list(bodies)
        client.meta.events.register(
            "before-send.s3", lambda request, **_: AWSResponse(request.url, 200, {}, Raw(left.pop(0)))
        )
        policy = RetryPolicy(tries=2, delay=0, jitter=(0, 0))
        return client, Side(S3Requests(client, policy), "bucket")

    return answered


def test_botocore_does_not_parse_a_page_at_all(answered):
    client, side = answered(PAGE)
    bodies = []
    client.meta.events.register("before-parse.s3.*", lambda response_dict, **_: bodies.append(response_dict["body"]))
    assert [entry.key for entry in side.page("", {}).entries] == ["a"]
    assert bodies == [b"<Kept/>"]


@pytest.mark.parametrize("broken", [ERROR, PAGE[:40], b""])
def test_error_or_half_a_page_with_status_200_is_asked_for_again(answered, broken):
    _, side = answered(broken, PAGE)
    assert [entry.key for entry in side.page("", {}).entries] == ["a"]
    _, side = answered(broken, broken)
    with pytest.raises(ObjectClerkServerInternalException, match="the listing cannot be read"):
        side.page("", {})
