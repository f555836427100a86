"""The function on its queue: its parts, its repairs, its metrics."""

from types import SimpleNamespace

import pytest

from tasks.mirror_check import check as check_module
from tasks.mirror_check import handler, listings, reconcile
from tasks.mirror_check.outcome_log import OVER, PART
from tasks.utils.deadline import Deadline
from tasks.utils.errors import EventError
from tests.mirror_check import runs as runs_module
from tests.mirror_check.runs import DAY, deploy
from tests.support.dying_client import Killed


@pytest.fixture(name="deployed")
def function_on_its_queue(aws, clock, monkeypatch, capsys):
    def make(**settings):
        return deploy(aws, clock, monkeypatch, capsys, **settings)

    yield make
    runs_module.forget_container()


@pytest.fixture(name="runs")
def runs_without_repair(deployed):
    return deployed()


@pytest.fixture(name="little_time")
def time_for_few_keys(monkeypatch):
    """Make pages small, and end the time of a message after a dozen keys."""
    monkeypatch.setattr(listings.Side.page, "__defaults__", (4,))
    monkeypatch.setattr(check_module, "CHUNK", 4)
    monkeypatch.setattr(check_module, "SHARED_AFTER", 0)

    def limit(runs):
        handle, before = runs.polled.handle, []

        def note_start(event):
            before[:] = [len(runs.compared)]
            return handle(event)

        runs.polled.handle = note_start
        monkeypatch.setattr(Deadline, "is_early", lambda _: len(runs.compared) - before[0] < 12)
        return runs

    return limit


def metric(lines, name):
    (value,) = [line[name][0] for line in lines if name in line]
    return value


def lines_of(lines, message):
    return [line for line in lines if line.get("message") == message]


def test_run_of_several_messages_compares_each_key_once(sides, runs, little_time):
    little_time(runs)
    keys = [f"{number:03}" for number in range(120)]
    for key in keys:
        sides.put(key, b"1", b"1")
    lines = runs.run()
    assert len(lines_of(lines, PART)) > 2
    assert sorted(runs.compared) == keys
    (over,) = lines_of(lines, OVER)
    assert (over["run"], over["keys"], over["different"]) == ("2026-06-01T12:00:00Z", 120, 0)
    assert runs.polled.dead_letters() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_worker_misses_no_key_and_counts_none_twice(sides, runs, little_time, when):
    little_time(runs)
    keys = [f"{number:03}" for number in range(60)]
    for key in keys:
        sides.put(key, b"1", b"1" if key != "050" else None)
    handle, kills = runs.polled.handle, [2, 3, 5]

    def dying(event):
        if runs.polled.invocations in kills:
            if when == "after":
                handle(event)
            raise Killed
        return handle(event)

    runs.polled.handle = dying
    lines = runs.run()
    assert set(runs.compared) == set(keys)
    ends = {(over["keys"], over["different"]) for over in lines_of(lines, OVER)}
    assert ends == {(60, 1)}
    assert runs.polled.dead_letters() == []


def test_message_that_comes_twice_does_not_double_the_run(sides, runs, little_time):
    little_time(runs)
    for number in range(120):
        sides.put(f"{number:03}", b"1", b"1")
    for spaces in (" ", "  ", "   "):
        runs.start(f'{{"run":{spaces}"same"}}')
    runs.polled.run(DAY)
    # Each start is checked, and all three send the same next message.
    steps = [line["step"] for line in runs.lines() if "step" in line]
    assert len(steps) > 4
    assert steps == [1, 1, 1, *range(2, len(steps) - 1)]


def test_differences_are_counted_and_named_and_nothing_is_sent(sides, runs):
    sides.put("equal", b"1", b"1")
    sides.put("missing", b"1")
    sides.put("extra", None, b"1")
    lines = runs.run()
    assert (metric(lines, "Different"), metric(lines, "Repaired")) == (2, 0)
    named = {line["key"]: (line["result"], line["cause"], line["repair"]) for line in lines_of(lines, "different")}
    assert named == {
        "extra": ("extra", "other writer", "REPAIR is off"),
        "missing": ("missing", "never seen", "REPAIR is off"),
    }
    assert runs.repairs() == {}


def test_next_run_of_equal_sides_counts_zero(sides, runs):
    sides.put("missing", b"1")
    runs.run()
    sides.put("missing", None, b"1")
    lines = runs.run('{"run": "next"}')
    assert (metric(lines, "Different"), metric(lines, "Repaired")) == (0, 0)


def test_repair_sends_what_may_be_sent(sides, deployed):
    runs = deployed(REPAIR="on")
    (etag,) = sides.put("removed", None, b"1")
    sides.record("removed", '"gone"', etag)
    sides.put("missing", b"1")
    sides.put("foreign", None, b"1")
    sides.put("archived", b"1", StorageClass="GLACIER")
    lines = runs.run()
    assert (metric(lines, "Different"), metric(lines, "Repaired")) == (3, 2)
    assert runs.repairs() == {"removed": "Object Deleted", "missing": "Object Recheck"}
    assert "--delete-extra" in next(line["repair"] for line in lines if line.get("key") == "foreign")


def test_kept_removal_is_no_difference(sides, deployed):
    runs = deployed(DELETES="keep", REPAIR="on")
    (etag,) = sides.put("removed", None, b"1")
    sides.record("removed", '"gone"', etag)
    assert metric(runs.run(), "Different") == 0
    assert runs.repairs() == {}


def test_key_that_changed_within_the_lag_is_no_difference(sides, deployed):
    runs = deployed(LAG_SECONDS="900", REPAIR="on")
    sides.put("new", b"1")
    assert metric(runs.run(), "Different") == 0
    assert runs.repairs() == {}


def test_backlog_of_the_mirror_is_no_difference(sides, deployed, monkeypatch):
    monkeypatch.setattr(reconcile, "BACKLOG", 0)
    runs = deployed(REPAIR="on")
    sides.put("missing", b"1")
    runs.sqs.send_message(QueueUrl=runs.objects, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId="d")
    lines = runs.run()
    assert (metric(lines, "Different"), metric(lines, "Repaired")) == (0, 0)
    assert len(runs.received()) == 1


def test_repairs_of_the_run_itself_do_not_hide_later_differences(sides, deployed, little_time, monkeypatch):
    monkeypatch.setattr(reconcile, "BACKLOG", 0)
    runs = little_time(deployed(REPAIR="on"))
    for number in range(120):
        sides.put(f"{number:03}", b"1", b"1" if number % 119 else None)
    lines = runs.run()
    assert len(lines_of(lines, PART)) > 1
    assert (metric(lines, "Different"), metric(lines, "Repaired")) == (2, 2)


def test_nothing_is_repaired_while_the_mirror_has_dead_letters(sides, deployed):
    runs = deployed(REPAIR="on")
    sides.put("missing", b"1")
    runs.sqs.send_message(QueueUrl=runs.letters, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId="d")
    lines = runs.run()
    assert (metric(lines, "Different"), metric(lines, "Repaired")) == (1, 0)
    assert next(line["repair"] for line in lines if line.get("key")) == reconcile.LETTERS_FIRST


def test_run_sends_only_so_many_repairs(sides, deployed, monkeypatch):
    monkeypatch.setattr(reconcile, "MOST_REPAIRS", 2)
    runs = deployed(REPAIR="on")
    for number in range(3):
        sides.put(str(number), b"1")
    lines = runs.run()
    assert (metric(lines, "Different"), metric(lines, "Repaired")) == (3, 2)


def test_key_that_changes_between_the_two_listings_is_looked_at_again(sides, runs, monkeypatch):
    sides.put("racing", b"1", b"1")
    page = listings.Side.page

    def mirrored_meanwhile(side, *about):
        if not side.listed and side.bucket == runs_module.DESTINATION:
            sides.put("racing", b"22", b"22")
        return page(side, *about)

    monkeypatch.setattr(listings.Side, "page", mirrored_meanwhile)
    assert metric(runs.run(), "Different") == 0


def test_only_mirrored_prefixes_are_checked(sides, deployed):
    runs = deployed(PREFIXES='["b/", "a/", "a/x"]')
    for key in ("a/1", "a/x1", "b/1", "c/1"):
        sides.put(key, b"1")
    lines = runs.run()
    assert runs.compared == ["a/1", "a/x1", "b/1"]
    assert metric(lines, "Different") == 3


@pytest.mark.parametrize(
    "body",
    ["{", "[]", "{}", '{"run": 1}', '{"run": "a b"}', '{"run": "a", "ranges": []}', '{"run": "a", "ranges": [1]}'],
)
def test_message_that_names_no_run_is_a_dead_letter_with_its_reason(runs, body):
    runs.run(body)
    (letter,) = runs.polled.dead_letters()
    assert letter["MessageAttributes"]["ErrorType"]["StringValue"] == "EventError"
    assert "run" in letter["MessageAttributes"]["Reason"]["StringValue"] or body == "{"


@pytest.mark.parametrize("is_busy", [True, False])
def test_open_upload_is_no_difference_while_the_mirror_works(sides, runs, is_busy):
    sides.put("large", b"1")
    sides.s3.create_multipart_upload(Bucket=runs_module.DESTINATION, Key="large")
    if is_busy:
        runs.sqs.send_message(QueueUrl=runs.objects, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId="d")
    assert metric(runs.run(), "Different") == (0 if is_busy else 1)


def test_time_that_runs_out_counts_nothing_and_comes_back(sides, runs, monkeypatch):
    sides.put("missing", b"1")
    passed = iter([False, True])
    monkeypatch.setattr(Deadline, "has_passed", lambda _: next(passed, False))
    lines = runs.run()
    assert [line["error"] for line in lines if "error" in line] == ["UnfinishedError"]
    assert metric(lines, "Different") == 1


def test_refused_credentials_are_read_again(sides, aws, runs):
    sides.put("equal", b"1", b"1")
    refusals, secrets = ["InvalidAccessKeyId"], aws.client("secretsmanager")

    def refuse(request, **_):
        if runs_module.DESTINATION in request.url and refusals:
            code = refusals.pop()
            secrets.put_secret_value(SecretId="secret", SecretString='{"accesskey": "a", "secretaccesskey": "b"}')
            body = f"<Error><Code>{code}</Code></Error>".encode()
            return SimpleNamespace(status_code=403, headers={}, raw=None, content=body, text=body.decode())
        return None

    aws.events.register_first("before-send.s3", refuse)
    lines = runs.run()
    aws.events.unregister("before-send.s3", refuse)
    assert not refusals
    assert metric(lines, "Different") == 0
    assert not any("error" in line for line in lines)


def test_event_that_is_no_batch_is_refused(sides, runs):
    assert sides.s3 and runs.polled
    with pytest.raises(EventError, match="check takes messages of its own queue"):
        handler.check({"run": "a"}, None)
