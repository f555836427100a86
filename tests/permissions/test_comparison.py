"""The comparison of policies with their use, on plain data: a policy that changes by one action is named."""

from dataclasses import replace

import pytest

from local.permissions import Decision
from tests.permissions.comparison import Grant, problems

ROLE = "arn:aws:iam::123456789012:role/copies"
OBJECTS, BUCKET = "arn:aws:s3:::source/*", "arn:aws:s3:::source"
READS = Grant("copies", "Read", (ROLE,), ("s3:GetObject", "s3:GetObjectTagging"), (OBJECTS,))
LISTS = Grant("copies", "List", (ROLE,), ("s3:ListBucket",), (BUCKET,))
USED = [
    Decision(ROLE, "s3:GetObject", "arn:aws:s3:::source/a\nb", True),
    Decision(ROLE, "s3:GetObjectTagging", "arn:aws:s3:::source/a", True),
    Decision(ROLE, "s3:ListBucket", BUCKET, True),
]
DELETES = {"copies": {"Read": {"only after a year": ["s3:DeleteObject"]}}}


def test_policies_whose_every_action_is_used_have_no_problem():
    assert problems([READS, LISTS], USED, {}) == []


def test_policy_widened_by_an_action_is_named_with_role_and_action():
    wider = replace(READS, actions=(*READS.actions, "s3:DeleteObject"))
    assert problems([wider, LISTS], USED, {}) == [
        "copies, statement Read: s3:DeleteObject is allowed, and the run did not use it: "
        "remove it, or list it with its reason"
    ]
    assert problems([wider, LISTS], USED, DELETES) == []


def test_policy_widened_by_a_resource_is_named_with_role_and_resource():
    wider = replace(LISTS, resources=(BUCKET, "arn:aws:s3:::other"))
    (problem,) = problems([READS, wider], USED, {})
    assert problem.startswith("copies, statement List: arn:aws:s3:::other is allowed, and the run did not use it")


@pytest.mark.parametrize("action", READS.actions)
def test_policy_narrowed_by_an_action_is_named_with_role_and_action(action):
    """The call is denied in a run; on data that another policy gave, it is named as well."""
    narrower = replace(READS, actions=tuple(other for other in READS.actions if other != action))
    denied = [decision._replace(allowed=decision.action != action) for decision in USED]
    for decisions in (denied, USED):
        (problem,) = problems([narrower, LISTS], decisions, {})
        assert problem.startswith(f"copies: {action} on arn:aws:s3:::source/a")
        assert problem.endswith(" was called, and no policy allows it")


def test_widened_and_narrowed_policy_is_named_twice():
    wildcard = replace(READS, actions=("s3:Put*", "s3:GetObjectTagging"))
    narrowed, widened = problems([wildcard, LISTS], USED, {})
    assert narrowed.startswith("copies: s3:GetObject on")
    assert widened.startswith("copies, statement Read: s3:Put* is allowed, and the run did not use it")


def test_wildcard_is_used_by_each_action_that_it_matches():
    wildcard = replace(READS, actions=("s3:getobject*",), resources=("arn:aws:s3:::sourc?/*",))
    assert problems([wildcard, LISTS], USED, {}) == []


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:GetObjectAcl"])
def test_listed_action_that_was_used_or_that_no_policy_has_is_named(action):
    listed = {"copies": {"Read": {"a reason": [action]}}}
    (problem,) = problems([READS, LISTS], USED, listed)
    why = "the run used it" if action in READS.actions else "no policy allows it"
    assert problem == f"copies, statement Read: {action} is listed as unused, and {why}: remove it from the list"


def test_use_by_another_role_or_of_another_statement_does_not_count():
    others = [decision._replace(principal=f"{ROLE}-others") for decision in USED]
    by_others, unused = problems([READS, LISTS], others, {})[:3], problems([READS, LISTS], others, {})[3:]
    assert all(problem.startswith(f"{ROLE}-others: s3:") for problem in by_others)
    assert len(unused) == 5
    elsewhere = [USED[0]._replace(resource="arn:aws:s3:::other/a"), *USED[1:]]
    narrowed, widened = problems([READS, LISTS], elsewhere, {})
    assert narrowed == "copies: s3:GetObject on arn:aws:s3:::other/a was called, and no policy allows it"
    assert widened.startswith("copies, statement Read: s3:GetObject is allowed, and the run did not use it")


def test_denied_action_is_not_a_use():
    denied = [USED[0]._replace(allowed=False), *USED[1:]]
    refused, unused = problems([READS, LISTS], denied, {})
    assert refused.startswith("copies: s3:GetObject on")
    assert unused.startswith("copies, statement Read: s3:GetObject is allowed, and the run did not use it")


def test_right_that_one_of_two_deployments_uses_is_used():
    elsewhere = replace(READS, principals=(f"{ROLE}-2",), actions=("s3:GetObject",))
    assert problems([READS, LISTS, elsewhere], USED, {}) == []


def test_service_uses_the_policy_of_a_queue():
    queue, sends = "arn:aws:sqs:eu-west-1:123456789012:work", ("sqs:SendMessage",)
    grant = Grant("queue work", "AllowSender", ("s3.amazonaws.com",), sends, (queue,))
    sent = Decision("s3.amazonaws.com", "sqs:SendMessage", queue, True)
    assert problems([grant], [sent], {}) == []
    refused, *unused = problems([grant], [sent._replace(principal="events.amazonaws.com")], {})
    assert refused == f"events.amazonaws.com: sqs:SendMessage on {queue} was called, and no policy allows it"
    assert len(unused) == 2
