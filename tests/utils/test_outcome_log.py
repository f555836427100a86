import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from tasks.utils.batches import REASON_LIMIT
from tasks.utils.outcome_log import DEAD_LETTERED, RETRIED, OutcomeLog


@pytest.fixture(name="counted")
def counted_metrics():
    return []


@pytest.fixture(name="outcome_log")
def outcome_log_of_a_task(counted):
    return OutcomeLog(logging.getLogger("a_task"), lambda name, value: counted.append((name, value)))


@pytest.mark.parametrize(
    "fate, metrics", [(RETRIED, [("Failed", 1)]), (DEAD_LETTERED, [("Failed", 1), ("DeadLettered", 1)])]
)
def test_failure_is_a_line_with_its_reason_and_is_counted(outcome_log, counted, caplog, fate, metrics):
    outcome_log.log_failure(ValueError("a\nline"), fate, message_id="1")
    (line,) = caplog.records
    reason = "unexpected ValueError: a\\nline"
    assert (line.message, line.reason, line.error, line.message_id) == (fate, reason, "ValueError", "1")
    assert counted == metrics


def test_reason_that_quotes_a_whole_record_is_cut(outcome_log, caplog):
    outcome_log.log_failure(ValueError("x" * 262_144), RETRIED)
    assert len(caplog.records[0].reason) == REASON_LIMIT


@pytest.mark.parametrize("zone", [UTC, None])
def test_age_is_counted_in_seconds_and_a_time_without_a_zone_is_utc(outcome_log, counted, zone):
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    outcome_log.count_age(SimpleNamespace(time=an_hour_ago.replace(tzinfo=zone)))
    ((name, seconds),) = counted
    assert name == "EventAge" and 3600 <= seconds < 3660


def test_event_without_a_time_has_no_age(outcome_log, counted):
    outcome_log.count_age(SimpleNamespace(time=None))
    assert counted == []
