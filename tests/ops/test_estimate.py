"""`brigade estimate`, without a deployment and with one."""

import json
from pathlib import Path

import hcl2
import pytest

from ops.errors import OpsError
from ops.estimating import units
from ops.estimating.prices import OWN, Prices
from ops.estimating.ranges import Range
from ops.estimating.workload import DEFAULTS, ENQUEUE_GIGABYTES
from tests.ops.conftest import NAME, REGION

ROOT = Path(__file__).parents[2]


def estimated(brigade, *options):
    status = brigade("estimate", "--json", *options)
    return status, brigade.records[0]


@pytest.mark.parametrize(
    ("text", "number"), [("64KiB", 65_536), ("1TB", 10**12), ("1.5 GB", 1_500_000_000), ("7", 7), ("1,000kB", 10**6)]
)
def test_size_is_read_with_its_unit(text, number):
    assert units.size(text, "--bytes") == number


@pytest.mark.parametrize(("text", "number"), [("1B", 10**9), ("2.5k", 2500), ("1_000", 1000)])
def test_count_is_read_with_its_unit(text, number):
    assert units.count(text, "--objects") == number


@pytest.mark.parametrize("text", ["", "0", "-1", "much", "1XB", "0.5", "1e9", "1TBB"])
def test_other_numbers_are_refused_with_an_example(text):
    with pytest.raises(OpsError, match="--bytes should be a size above 0, such as 1048576, 64KiB or 1TB; it is "):
        units.size(text, "--bytes")


def test_numbers_are_shown_rounded_in_the_unit_that_suits_both_ends():
    assert units.duration(Range(90, 200_000)) == "0.025 to 56 hours"
    assert units.duration(Range(5.8 * 86400, 14.6 * 86400)) == "5.8 to 15 days"
    assert units.amount(Range.of(123)) == "120"
    assert units.dollars(Range(0.001, 1234)) == "under $0.01 to $1,200"
    assert units.length(1e12) == "1 TB"


def test_egress_is_charged_by_tier():
    prices = Prices.read()
    assert prices.egress(100) == 0
    assert prices.egress(1_100) == pytest.approx(1_000 * 0.09)
    assert prices.egress(10_240 + 1_000) == pytest.approx(10_140 * 0.09 + 1_000 * 0.085)


def test_each_price_has_its_page_and_the_table_its_date():
    prices = Prices.read()
    assert len(prices.sources) == 7 and all(page.startswith("https://aws.amazon.com/") for page in prices.sources)
    assert (prices.region, prices.date) == ("us-east-1", "2026-11-22")


def test_million_small_objects_cost_what_the_readme_counts(plain_brigade):
    status, record = estimated(plain_brigade, "--objects", "1M", "--object-size", "64KiB")
    charges = {(each["service"], each["of"]): each for each in record["once"]["charges"]}
    assert status == 0
    assert charges["S3", "PUT, COPY, POST, LIST"]["quantity"] == [2e6, 2e6]
    assert charges["S3", "PUT, COPY, POST, LIST"]["dollars"] == [10, 10]
    assert charges["S3", "GET, HEAD"]["quantity"] == [2e6, 2e6]
    assert charges["DynamoDB", "write units"]["quantity"] == [1e6, 1e6]
    assert charges["Internet egress", "GB"]["quantity"] == [65.5, 65.5]


def first_limit(brigade, *options):
    _, record = estimated(brigade, *options)
    return (record["once"] or record["month"])["limits"][0]["name"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--objects", "1M", "--object-size", "64KiB"), "20 function instances"),
        (("--objects", "1M", "--object-size", "1GB"), "20 function instances"),
        (("--objects", "1M", "--object-size", "1kB", "--objects-per-second", "500"), "S3 reads a prefix, source"),
        (
            ("--events-per-day", "9M", "--object-size", "9", "--objects-per-second", "500", "--prefixes", "100"),
            "DynamoDB writes of a new table",
        ),
        (
            ("--objects", "9", "--object-size", "9", "--versions", "all", "--objects-per-second", "2000"),
            "DynamoDB writes of a new table",
        ),
    ],
)
def test_slowest_step_is_the_first_limit(plain_brigade, options, name):
    assert first_limit(plain_brigade, *options) == name


def test_region_decides_about_quotas(plain_brigade):
    options = ("--events-per-day", "9M", "--object-size", "9", "--objects-per-second", "500", "--prefixes", "100")
    assert first_limit(plain_brigade, *options, "--region", "us-gov-west-1") == "EventBridge invocations, us-gov-west-1"


def test_time_is_that_of_the_first_limit(plain_brigade):
    _, record = estimated(plain_brigade, "--objects", "1M", "--object-size", "1kB", "--objects-per-second", "100")
    assert record["once"]["seconds"] == [500, 500]


def test_large_object_takes_its_own_time_however_many_instances_there_are(plain_brigade):
    _, record = estimated(plain_brigade, "--objects", "2", "--object-size", "1TB", "--mb-per-second", "100")
    assert record["once"]["seconds"] == [10_000, 20_000]
    assert any("more than one invocation (300 s)" in remark for remark in record["remarks"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--object-size", "20TB"), "raise partition_replicate_memory_mb to 3816"),
        (("--object-size", "60TB"), "S3 stores at most 54 TB in one object"),
        (("--object-size", "1TB", "--task", "archive_copy"), "an invocation 900 seconds"),
        (("--object-size", "1GB", "--task", "upload_validate"), "refuses files of more than 150 MB"),
    ],
)
def test_impossible_object_is_named_with_what_to_change(plain_brigade, options, sentence):
    assert plain_brigade("estimate", "--objects", "100", *options) == 1
    assert plain_brigade.out.startswith("impossible: ") and sentence in plain_brigade.out


def test_long_backfill_is_split_before_sqs_forgets_messages(plain_brigade):
    plain_brigade("estimate", "--objects", "5B", "--object-size", "1kB")
    assert "SQS keeps it for 14 days: start" in plain_brigade.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "nothing is to be estimated: pass --objects, --events-per-day or both"),
        (("--objects", "5"), "the size is open: pass either --bytes, of all objects, or --object-size, of each"),
        (("--objects", "5", "--bytes", "1", "--object-size", "1"), "the size is open"),
        (("--events-per-day", "5", "--bytes", "1GB"), "--bytes is the size of all --objects"),
        (("--objects", "many", "--bytes", "1GB"), "--objects should be a whole number above 0, such as 1000, 5M or 1B"),
        (("--objects", "5", "--object-size", "1", "--prices", "no.toml"), "the price table no.toml cannot be read"),
    ],
)
def test_wrong_options_are_one_sentence(plain_brigade, options, sentence):
    assert plain_brigade("estimate", *options) == 2
    assert sentence in plain_brigade.err and plain_brigade.err.count("\n") == 1


def test_price_table_of_the_user_replaces_ours(plain_brigade, tmp_path):
    text = OWN.read_text(encoding="utf-8").replace("writes_per_1000 = 0.005", "writes_per_1000 = 5.0")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    options = ("--objects", "1M", "--object-size", "1kB", "--prices", str(tmp_path / "mine.toml"))
    assert estimated(plain_brigade, *options)[1]["once"]["charges"][0]["dollars"] == [10_000, 10_000]


@pytest.mark.parametrize("price", ["0.005", "writes_per_1000 = 0.005"])
def test_price_table_that_lacks_a_price_is_refused_by_its_name(plain_brigade, tmp_path, price):
    text = OWN.read_text(encoding="utf-8").replace(price, '"much"' if price == "0.005" else "")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    assert plain_brigade("estimate", "--objects", "1", "--bytes", "1", "--prices", str(tmp_path / "mine.toml")) == 2
    assert "mine.toml lacks s3.writes_per_1000 as numbers" in plain_brigade.err


def test_settings_of_a_deployment_replace_the_defaults(aws, outputs, brigade):
    functions = aws.client("lambda")
    name = f"{NAME}-partition-replicate"
    functions.update_function_configuration(FunctionName=name, MemorySize=3008, Timeout=900)
    queue = aws.client("sqs").get_queue_attributes(
        QueueUrl=outputs["partition_replicate"]["queue_url"], AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    functions.create_event_source_mapping(
        FunctionName=name, EventSourceArn=queue, ScalingConfig={"MaximumConcurrency": 7}
    )
    status, record = estimated(brigade, "--objects", "100", "--object-size", "12TB")
    assert (status, record["impossible"]) == (0, [])
    assert record["once"]["limits"][0]["name"] == "7 function instances"
    # The conftest's deployment is in another region than the default's.
    assert any(REGION in limit["name"] for limit in record["once"]["limits"])


def default_of(task, variable):
    text = (ROOT / "terraform" / f"variables.{task}.tf").read_text(encoding="utf-8")
    found = {name.strip('"'): body for each in hcl2.loads(text)["variable"] for name, body in each.items()}
    return found[f"{task}_{variable}"]["default"]


@pytest.mark.parametrize("task", DEFAULTS)
def test_defaults_equal_those_of_terraform(task):
    named = ("memory_mb", "maximum_concurrency", "timeout_seconds")
    of_terraform = tuple(default_of(task, variable) for variable in named)
    assert (DEFAULTS[task].memory_mb, DEFAULTS[task].concurrency, DEFAULTS[task].timeout) == of_terraform


def test_memory_of_enqueue_equals_that_of_terraform():
    modules = hcl2.loads((ROOT / "terraform" / "partition_replicate.tf").read_text(encoding="utf-8"))["module"]
    found = {name.strip('"'): body for each in modules for name, body in each.items()}
    assert found["partition_replicate_enqueue"]["memory_mb"] == ENQUEUE_GIGABYTES * 1024


def test_record_is_json_of_numbers(plain_brigade):
    _, record = estimated(plain_brigade, "--events-per-day", "1000", "--object-size", "1MB", "--kms")
    assert json.dumps(record) and record["once"] is None
    assert {"service": "KMS", "of": "requests", "quantity": [60000, 60000], "dollars": [0.18, 0.18]} in record["month"][
        "charges"
    ]
