"""Reports of batch item failures, in the answers of functions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.lambda_service.sqs_batches import reported_failures

IDS = ["1", "2", "3"]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, []),
        ({}, []),
        ({"files": []}, []),
        ({"batchItemFailures": None}, []),
        ({"batchItemFailures": []}, []),
        ({"batchItemFailures": [{"itemIdentifier": "2"}]}, ["2"]),
        ({"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "3"}]}, ["2", "3"]),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, IDS),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, IDS),
        ({"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "other"}]}, IDS),
        ({"batchItemFailures": [{"itemIdentifier": ["2"]}]}, IDS),
        ({"batchItemFailures": [{"id": "2"}]}, IDS),
        ({"batchItemFailures": ["2"]}, IDS),
        ({"batchItemFailures": {"itemIdentifier": "2"}}, IDS),
        ({"batchItemFailures": "2"}, IDS),
        ({"batchItemFailures": ""}, IDS),
        ({"batchItemFailures": False}, IDS),
        ([], IDS),
        ("done", IDS),
        (0, IDS),
    ],
)
def test_partial_answer_is_read_as_lambda_reads_it(answer, failed):
    assert list(reported_failures(json.dumps(answer).encode(), IDS)) == failed


def test_partial_answer_that_is_not_json_fails_the_batch():
    assert reported_failures(b"", IDS) == IDS
    assert reported_failures(b"\xff", IDS) == IDS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([*IDS, "", "other"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["batchItemFailures", "itemIdentifier"]), inner)
    ),
)


@given(JSON)
def test_partial_answer_of_any_kind_names_messages_of_the_batch_or_fails_it(answer):
    assert set(reported_failures(json.dumps(answer).encode(), IDS)) <= set(IDS)
