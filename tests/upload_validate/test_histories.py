"""Random histories of a set, with workers killed before or after any request; see also test_process_histories."""

import io
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.upload_validate import idempotency
from tasks.upload_validate.handler import handler
from tasks.utils.retry import RetryPolicy
from tests.conftest import REGION, client_of_the_tests
from tests.upload_validate.conftest import Context, Killed, Outside, forget_container
from tests.upload_validate.histories import LAST_STEP, History, Plan

HISTORIES = 6


@dataclass
class World:
    """Workers in this process, one after the other."""

    s3: Any
    dynamodb: Any
    outside: Outside
    setenv: Any
    plan: Plan

    @property
    def pool(self):
        return self

    @staticmethod
    def random_plan(chance):
        return Plan(chance.choice(["", "before", "after", "after"]), chance.randint(1, LAST_STEP))

    def start(self, event, **environment):
        for name, value in environment.items():
            self.setenv(name, value)
        # The next container has no state.
        forget_container()
        worker = SimpleNamespace(said=None, wait=lambda: None)
        with redirect_stdout(io.StringIO()) as log:
            try:
                worker.said = {"answer": handler(event, Context()), "log": log.getvalue()}
            except Killed:
                pass
        return worker

    def before(self, **_):
        if self.plan.is_due() and self.plan.fault == "before":
            raise Killed("before it was sent")

    def after(self, *_, **__):
        if self.plan.done and self.plan.fault == "after":
            self.plan.fault = ""
            raise Killed("before the answer came")


@pytest.fixture(name="world")
def world_of_one_process(stage, aws, s3, outside, monkeypatch):  # pylint: disable=unused-argument  # they set the stage
    monkeypatch.setattr(idempotency, "PATIENCE", RetryPolicy(tries=1))
    world = World(s3, client_of_the_tests("dynamodb", REGION), outside, monkeypatch.setenv, Plan())
    outside.after = world.after
    aws.events.register("before-call", world.before)
    aws.events.register("after-call", world.after)
    yield world
    aws.events.unregister("before-call", world.before)
    aws.events.unregister("after-call", world.after)


@pytest.mark.long
def test_any_history_of_a_set_ends_with_the_newest_valid_set_published(world):
    for number in range(HISTORIES):
        History(world, "histories", number).run()


PLANTED = {
    "the content of a bucket is remembered": ("tasks.upload_validate.publisher.Publisher.holds", lambda *_, **__: True),
    "reports are not retracted": ("tasks.upload_validate.publisher.Publisher.retract_report", lambda *_: None),
    "locks are not kept": (
        "tasks.upload_validate.idempotency.Outcomes.notify_once",
        lambda _, __, ___, call, **____: call(),
    ),
}


@pytest.mark.chaos
@pytest.mark.parametrize("place, mutation", PLANTED.values(), ids=PLANTED)
def test_histories_find_planted_bugs(world, monkeypatch, place, mutation):
    monkeypatch.setattr(place, mutation)
    with pytest.raises(AssertionError):
        for number in range(100):
            History(world, "planted", number).run()
