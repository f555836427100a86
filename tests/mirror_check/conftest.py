"""Two buckets in moto, and what compares them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.mirror_check.check import Scope, compare_all
from tasks.mirror_check.evidence import Depth, Evidence
from tasks.mirror_check.findings import EQUAL
from tasks.mirror_check.histories import HistoryEvidence
from tasks.mirror_check.listings import Side, keep_xml
from tasks.mirror_check.records import Records
from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.object_clerk.versions import in_order
from tasks.utils.key_state import KeyState, Origin, ReplicaVersion
from tasks.utils.mirror_items import key_row

SOURCE, DESTINATION, TABLE = "source", "destination", "table"


class Sides:
    """Both buckets, the table, and the check of them."""

    def __init__(self, aws):
        self._aws = aws
        self.s3 = aws.client("s3")
        self.dynamodb = aws.client("dynamodb")
        for bucket in (SOURCE, DESTINATION):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Key", "VersionId")],
            KeySchema=[{"AttributeName": "Key", "KeyType": "HASH"}, {"AttributeName": "VersionId", "KeyType": "RANGE"}],
        )

    def put(self, key, source=None, destination=None, **about):
        """Put an object to one side or to both; return the ETags."""
        sides = ((SOURCE, source), (DESTINATION, destination))
        return [
            self.s3.put_object(Bucket=b, Key=key, Body=data, **about)["ETag"] for b, data in sides if data is not None
        ]

    def record(self, key, source_etag, destination_etag, **more):
        """Record that the mirror made the one from the other."""
        state = KeyState(Origin("", source_etag), ReplicaVersion("", destination_etag), **more)
        self.dynamodb.put_item(TableName=TABLE, Item=key_row(key, state))

    def check(self, *, prefix="", workers=1, depth=Depth(), versions=False):
        """Return the chunks of a check."""
        sides = [Side(self.requests(), bucket, versions) for bucket in (SOURCE, DESTINATION)]
        records = Records(self.dynamodb, TABLE)
        with ThreadPoolExecutor(2) as pool:
            evidence = HistoryEvidence(*sides, records, pool) if versions else Evidence(*sides, records, depth, pool)
            return list(compare_all(evidence, Scope(prefix, workers, keeps_settled=True)))

    def requests(self):
        """Return requests of a client that lists pages."""
        return S3Requests(in_order(keep_xml(self._aws.client("s3", config=client_config()))))

    def verdicts(self, **options):
        """Return the sign and the reason of each key, and "=" for keys that are equal."""
        found = {}
        for chunk in self.check(**options):
            found |= dict.fromkeys(chunk.settled, "=")
            found |= {each.key: each.verdict.sign.value for each in chunk.findings}
        return found

    def reason(self, key, **options):
        """Return the reason of the verdict on a key."""
        findings = [each for chunk in self.check(**options) for each in chunk.findings if each.key == key]
        return "" if not findings or findings[0].verdict == EQUAL else findings[0].verdict.reason


@pytest.fixture(name="sides")
def both_sides(aws):
    return Sides(aws)
