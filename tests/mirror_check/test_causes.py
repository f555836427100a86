from datetime import UTC, datetime

import pytest

from tasks.mirror_check.causes import Cause, Circumstances, cause_of
from tasks.mirror_check.findings import Aspect, Finding, Pair, Sign, Verdict
from tasks.mirror_check.pages import Listed
from tasks.mirror_check.repairs import NEEDS_CARE, NEEDS_CONSENT, repair_of
from tasks.utils.events import Kind
from tasks.utils.key_state import KeyState, OpenWork, Origin, ReplicaVersion, Upload

OLD, NEW = "2026-11-22T09:00:00.000Z", "2026-11-22T11:00:00.000Z"
SETTLED = datetime(2026, 11, 22, 10, tzinfo=UTC)
SOURCE = Listed("k", 1, "s", OLD)
DESTINATION = Listed("k", 1, "d", OLD)
MADE = KeyState(Origin("", '"s"'), ReplicaVersion("", '"d"'))
MADE_EARLIER = KeyState(Origin("", '"earlier"'), ReplicaVersion("", '"d"'))
UPLOADING = KeyState(open=OpenWork(upload=Upload("id", "stamp", 1)))

MISSING, EXTRA = Verdict(Sign.MISSING), Verdict(Sign.EXTRA)
DIFFERENT, UNKNOWN = Verdict(Sign.DIFFERENT), Verdict(Sign.UNKNOWN)
DAMAGED = Verdict(Sign.DIFFERENT, aspect=Aspect.BYTES)


def why(verdict, source=None, destination=None, state=None, **about):
    about = Circumstances(**{"settled_before": SETTLED, **about})
    return cause_of(Finding(Pair(source, destination), verdict, state), about)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        # What the mirror leaves out.
        ({"verdict": MISSING, "source": SOURCE, "prefixes": ("a/", "b/")}, Cause.EXCLUDED),
        ({"verdict": EXTRA, "destination": DESTINATION, "state": MADE, "keeps_deleted": True}, Cause.EXCLUDED),
        ({"verdict": EXTRA._replace(aspect=Aspect.OLD_EXTRAS), "destination": DESTINATION}, Cause.EXCLUDED),
        (
            {"verdict": DIFFERENT._replace(aspect=Aspect.ANNOTATIONS), "source": SOURCE, "carries_annotations": False},
            Cause.NOT_CARRIED,
        ),
        # What can still be settled without a person, or waits for one.
        ({"verdict": MISSING, "source": SOURCE._replace(storage_class="GLACIER")}, Cause.ARCHIVED),
        ({"verdict": MISSING, "source": SOURCE, "dead": {"k": "denied"}, "waiting": 1}, Cause.DEAD_LETTER),
        ({"verdict": MISSING, "source": SOURCE, "uploads": frozenset({"k"}), "waiting": 1}, Cause.HALF_UPLOADED),
        ({"verdict": MISSING, "source": SOURCE, "state": UPLOADING}, Cause.HALF_UPLOADED),
        ({"verdict": MISSING, "source": SOURCE, "waiting": 2}, Cause.WAITING),
        ({"verdict": MISSING, "source": SOURCE._replace(modified=NEW)}, Cause.WAITING),
        # What nothing will settle.
        ({"verdict": DAMAGED, "source": SOURCE, "destination": SOURCE, "waiting": 1}, Cause.DAMAGED),
        ({"verdict": DAMAGED, "source": SOURCE, "destination": DESTINATION, "state": MADE}, Cause.DAMAGED),
        ({"verdict": DAMAGED, "source": SOURCE, "destination": DESTINATION, "state": MADE_EARLIER}, Cause.NEVER_SEEN),
        ({"verdict": MISSING, "source": SOURCE}, Cause.NEVER_SEEN),
        ({"verdict": DIFFERENT, "source": SOURCE, "destination": DESTINATION, "state": MADE_EARLIER}, Cause.NEVER_SEEN),
        ({"verdict": DIFFERENT, "source": SOURCE, "destination": DESTINATION, "state": MADE}, Cause.NEVER_SEEN),
        ({"verdict": EXTRA, "destination": DESTINATION, "state": MADE}, Cause.NEVER_SEEN),
        ({"verdict": EXTRA, "destination": DESTINATION}, Cause.OTHER_WRITER),
        ({"verdict": EXTRA, "destination": DESTINATION._replace(etag="x"), "state": MADE}, Cause.OTHER_WRITER),
        ({"verdict": MISSING, "source": SOURCE, "state": MADE}, Cause.OTHER_WRITER),
        (
            {"verdict": DIFFERENT, "source": SOURCE, "destination": DESTINATION._replace(etag="x"), "state": MADE},
            Cause.OTHER_WRITER,
        ),
        ({"verdict": UNKNOWN, "source": SOURCE, "destination": DESTINATION, "waiting": 1}, Cause.UNKNOWN),
    ],
)
def test_cause_is_the_first_that_applies(found, cause):
    assert why(**found).cause is cause


def test_detail_says_how_the_cause_is_known():
    assert why(MISSING, SOURCE, dead={"k": "denied"}).detail == "denied"
    assert "GLACIER" in why(MISSING, SOURCE._replace(storage_class="GLACIER")).detail
    assert NEW in why(MISSING, SOURCE._replace(modified=NEW)).detail


def repair(finding, deletes_extra=False, **about):
    return repair_of(finding, cause_of(finding, Circumstances(**about)), bucket="b", deletes_extra=deletes_extra)


@pytest.mark.parametrize(
    ("finding", "about", "kind"),
    [
        (Finding(Pair(SOURCE, None), MISSING), {}, Kind.RECHECK),
        (Finding(Pair(SOURCE, DESTINATION), DIFFERENT, MADE), {}, Kind.RECHECK),
        (Finding(Pair(SOURCE, DESTINATION), UNKNOWN), {}, Kind.RECHECK),
        (Finding(Pair(None, DESTINATION), EXTRA, MADE), {}, Kind.REMOVED),
        (Finding(Pair(None, DESTINATION), EXTRA), {"deletes_extra": True}, Kind.REMOVED),
    ],
)
def test_difference_is_repaired_by_an_event_of_its_kind(finding, about, kind):
    event = repair(finding, **about)
    assert (event.kind, event.object.bucket, event.object.key) == (kind, "b", "k")


@pytest.mark.parametrize(
    ("finding", "about", "reason"),
    [
        (Finding(Pair(None, DESTINATION), EXTRA), {}, NEEDS_CONSENT),
        (Finding(Pair(None, DESTINATION), EXTRA), {"prefixes": ("a/",), "deletes_extra": True}, "other prefixes"),
        (Finding(Pair(SOURCE._replace(storage_class="DEEP_ARCHIVE"), None), MISSING), {}, "once it is restored"),
        (Finding(Pair(SOURCE, DESTINATION), DAMAGED, MADE), {}, NEEDS_CARE),
    ],
)
def test_difference_that_is_not_repaired_says_why(finding, about, reason):
    assert reason in repair(finding, **about)
