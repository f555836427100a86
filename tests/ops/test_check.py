import csv
import json

import pytest

from tests.ops.conftest import DESTINATION_REGION, MIRROR, SOURCE

HOSTILE = "=[red]\x1b[31m\nforged"


class Buckets:  # pylint: disable=too-few-public-methods  # the other helpers of these tests are fixtures
    """Both buckets of the mirror."""

    def __init__(self, aws):
        self.near, self.far = aws.client("s3"), aws.client("s3", region_name=DESTINATION_REGION)

    def put(self, key, source=None, destination=None):
        """Put an object to one side or to both."""
        if source is not None:
            self.near.put_object(Bucket=SOURCE, Key=key, Body=source)
        if destination is not None:
            self.far.put_object(Bucket=MIRROR, Key=key, Body=destination)


@pytest.fixture(name="buckets")
def both_buckets(aws, outputs):
    assert outputs
    return Buckets(aws)


def test_equal_sides_are_status_0(brigade, buckets):
    buckets.put("a", b"1", b"1")
    assert brigade("check") == 0
    assert "both sides are equal: 1 keys (1 equal), 1 bytes at the source" in brigade.out
    assert brigade.err == ""


def test_differences_are_status_1_and_written_in_each_form(brigade, buckets, tmp_path):
    buckets.put("equal", b"1", b"1")
    buckets.put("missing", b"1")
    buckets.put(HOSTILE, None, b"1")
    combined, table = tmp_path / "combined", tmp_path / "rows.csv"

    assert brigade("check", "--combined", str(combined), "--csv", str(table)) == 1

    shown = r"=[red]\x1b[31m\nforged"
    assert sorted(combined.read_text().splitlines()) == ["+ missing", f"- {shown}", "= equal"]
    rows = list(csv.reader(table.read_text().splitlines()))
    assert rows[0][:2] == ["object", "result"]
    assert sorted(row[:2] for row in rows[1:]) == [
        [f"s3://{SOURCE}/{shown}", "extra"],
        [f"s3://{SOURCE}/missing", "missing"],
    ]
    assert "2 differences: 3 keys" in brigade.out
    assert f"-  {shown}" in brigade.out and "\x1b" not in brigade.out


def test_json_has_a_line_for_each_difference_and_the_summary(brigade, buckets):
    buckets.put(HOSTILE, b"1")
    assert brigade("check", "--json") == 1
    difference, summary = brigade.records
    assert (difference["key"], difference["result"]) == (HOSTILE, "missing")
    assert (summary["type"], summary["keys"], summary["missing"], summary["equal"]) == ("summary", 1, 1, 0)
    assert summary["requests"] >= 2 and summary["bytes"] == 1


def test_combined_goes_to_standard_output(brigade, buckets):
    buckets.put("a", b"1", b"1")
    assert brigade("check", "--combined", "-") == 0
    assert brigade.out.startswith("= a\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--combined", "nowhere/file"], "nowhere/file cannot be written: No such file or directory"),
        (["--workers", "0"], "0 is not in the range 1<=x<=64"),
    ],
)
def test_mistake_of_the_user_is_one_sentence(brigade, outputs, arguments, sentence):
    assert outputs
    assert brigade("check", *arguments) == 2
    assert brigade.err.startswith("error: ") and brigade.err.count("\n") == 1 and sentence in brigade.err


def test_missing_bucket_is_status_2(aws, brigade, outputs):
    assert outputs
    aws.client("s3").delete_bucket(Bucket=SOURCE)
    assert brigade("check") == 2
    assert brigade.err.count("\n") == 1 and f"s3://{SOURCE}" in brigade.err


def test_deployment_without_a_mirror_is_status_2(brigade, outputs, outputs_file):
    outputs_file.write_text(json.dumps({"archive_copy": {"value": outputs["archive_copy"]}}), encoding="utf-8")
    assert brigade("check") == 2
    assert brigade.err == "error: the deployment has no mirror: partition_replicate_enabled is false\n"
