"""Random histories of one set, and the assertions after each. I3 to I6.

Files are put, replaced, put back and removed, some of them invalid. Events come late, twice and out of order, and
workers fail. After the last event the final bucket holds the newest set, if it is valid, with a report on its bytes. At
no time does a report name other bytes than those beside it. Each outcome is notified once.
"""

import hashlib
import json
import random
import re
import signal
import threading
from dataclasses import dataclass, field
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from tasks.upload_validate.file_sets import FileSet, UploadedFile
from tests.conftest import REGION
from tests.support.events import s3_event, s3_record, sqs_event
from tests.upload_validate.conftest import FINAL, QUARANTINE, UPLOADS, csv_of

NAMES = ("a.csv", "b.csv")
OWN = {"report.json", "report.html"}
VALID = [csv_of(rows) for rows in (60, 70, 80)]
WRONG = [csv_of(rows) + b"short\n" for rows in (60, 70)]
# About as many requests as a worker sends.
LAST_STEP = 30
# Far more than any history needs.
DELIVERIES = 200
UNCERTAIN = "may or may not have been done"


def md5(body):
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def mails():
    return ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages


@dataclass
class Plan:  # pylint: disable=too-many-instance-attributes  # one event for each moment that a test waits for
    """A fault at the n-th request of a worker.

    Attributes:
        fault: the fault, or "" for none.
        step: the number of the request; the first is 1.
        worker: the worker, once it is started.
        done: whether the fault has happened.
        over: the worker was stopped, or has ended.
        released: a request that was held back may be sent.
        arrived: that request has arrived.
        known: the worker is started.
        is_outside: the request goes to GitHub, the council service or the webhook.
    """

    fault: str = ""
    step: int = 0
    worker: Any = None
    done: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    known: threading.Event = field(default_factory=threading.Event)
    is_outside: bool = False

    def begins(self, worker):
        self.worker = worker
        self.known.set()

    def is_due(self):
        """Count a request, and return whether the fault happens at it."""
        if self.done or not self.fault:
            return False
        self.step -= 1
        self.done = self.step <= 0
        return self.done

    def let_arrive(self):
        self.released.set()
        self.arrived.wait(10)


class History:  # pylint: disable=too-many-instance-attributes  # the actions so far and their results
    """One set with its changes and deliveries."""

    def __init__(self, world, seed, number):
        self.world, self.chance = world, random.Random(f"{seed}-{number}")
        self.prefix = f"E{number:08}/2025-05-01/1/"
        self.table = f"outcomes-{number}"
        self.removes = self.chance.random() < 0.5
        self.quarantines = self.chance.random() < 0.5
        self.uploaded, self.earlier, self.waiting, self.stopped = {}, [], [], []
        self.digests, self.said, self.was_stopped, self.was_disturbed = {}, [], False, False
        self.steps = []
        world.outside.forget()
        mails().clear()
        world.dynamodb.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )

    def run(self):
        actions = [self.put] * 4 + [self.put_back] * 2 + [self.remove] + [self.deliver] * 5 + [self.resume]
        self.put()
        self.deliver_undisturbed()
        for _ in range(self.chance.randint(4, 14)):
            self.chance.choice(actions)()
            self.check_reports()
        # A removal sends no event. The next event shows it, here one of an earlier file.
        self.waiting.append((self.chance.choice(NAMES), None))
        left = DELIVERIES
        while self.stopped or self.waiting:
            left -= 1
            assert left, f"the history does not end: {self.steps}"
            (self.resume if self.stopped and self.chance.random() < 0.5 else self.deliver_undisturbed)()
        self.check_end()
        self.world.dynamodb.delete_table(TableName=self.table)

    def put(self, name=None, body=None):
        name = name or self.chance.choice(NAMES)
        body = body or self.chance.choice(VALID * 3 + WRONG)
        self.steps.append(f"put {name} {md5(body)[:4]}")
        self.world.s3.put_object(Bucket=UPLOADS, Key=self.prefix + name, Body=body)
        self.uploaded = {**self.uploaded, name: body}
        self._changed()
        self.waiting += [(name, None)] * self.chance.choice((1, 1, 2))

    def put_back(self):
        """Give the set an earlier content."""
        earlier = self.chance.choice(self.earlier)
        for name in sorted(self.uploaded.keys() - earlier.keys()):
            self.remove(name)
        for name, body in earlier.items():
            if self.uploaded.get(name) != body:
                self.put(name, body)

    def remove(self, name=None):
        if not self.uploaded:
            return
        name = name or self.chance.choice(sorted(self.uploaded))
        self.steps.append(f"remove {name}")
        self.world.s3.delete_object(Bucket=UPLOADS, Key=self.prefix + name)
        self.uploaded = {key: body for key, body in self.uploaded.items() if key != name}
        self._changed()

    def deliver(self):
        """Deliver a message to a worker, which may fail."""
        if self.waiting:
            message = self.waiting.pop(self.chance.randrange(len(self.waiting)))
            self._work(message, self.world.random_plan(self.chance))

    def deliver_undisturbed(self):
        if self.waiting:
            self._work(self.waiting.pop(0), Plan())

    def resume(self):
        """Resume a stopped worker, which knows only what it observed before, until its end."""
        if self.stopped:
            name, plan, waiter = self.stopped.pop(self.chance.randrange(len(self.stopped)))
            self.steps.append(f"go on {name}")
            self.world.plan = Plan()
            plan.worker.signal(signal.SIGCONT)
            plan.released.set()
            self._end(name, plan, waiter)

    def _changed(self):
        self.earlier.append(self.uploaded)
        self.digests[self._digest(self.uploaded)] = self.uploaded

    def _digest(self, files):
        listed = [UploadedFile(self.prefix + name, md5(body), len(body)) for name, body in sorted(files.items())]
        return FileSet(UPLOADS, self.prefix, {}, tuple(listed)).digest

    def _work(self, message, plan):
        name, held = message
        self.steps.append(f"deliver {name} {plan.fault} {plan.step}")
        if held:
            held.let_arrive()
        event = sqs_event(s3_event(s3_record(UPLOADS, self.prefix + name, name="ObjectCreated:Put")))
        environment = {
            "OUTCOMES_TABLE": self.table,
            "SUPERSEDED_FILES": "remove" if self.removes else "keep",
            "QUARANTINE_BUCKET_NAME": QUARANTINE if self.quarantines else "",
        }
        self.world.plan = plan
        worker = self.world.pool.start(event, **environment)
        plan.begins(worker)
        waiter = threading.Thread(target=lambda: (worker.wait(), plan.over.set()), daemon=True)
        waiter.start()
        plan.over.wait()
        self.was_disturbed |= plan.done
        if plan.done and plan.fault.endswith("stop"):
            self.was_stopped = True
            self.stopped.append((name, plan, waiter))
        else:
            self._end(name, plan, waiter)

    def _end(self, name, plan, waiter):
        waiter.join()
        said = plan.worker.said
        self.steps.append(f"= {said and said['answer']}")
        if said:
            self.said.append(said["log"])
        if not said or said["answer"] != {"batchItemFailures": []}:
            self.waiting.append((name, plan if plan.done and plan.fault == "late kill_and_hold" else None))
        # SQS delivers a message again after its invocation. A stopped worker is resumed within its own time.
        if not self.stopped:
            self._time_passes()

    def _time_passes(self):
        """End the killed invocations and their locks, but not the records of notifications that were begun.

        A call of a killed worker to an outside service is carried out before that, or never. A request to S3 may arrive
        later.
        """
        for _, held in self.waiting:
            if held and held.is_outside:
                held.let_arrive()
        for item in self.world.dynamodb.scan(TableName=self.table)["Items"]:
            if item["id"]["S"].startswith(("verdict", "issue")) and item["status"]["S"] == "INPROGRESS":
                self.world.dynamodb.delete_item(TableName=self.table, Key={"id": item["id"]})

    def objects(self, bucket):
        listed = self.world.s3.list_objects_v2(Bucket=bucket, Prefix=self.prefix).get("Contents", ())
        read = {each["Key"]: self.world.s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed}
        return {key.removeprefix(self.prefix): body for key, body in read.items()}

    def check_reports(self):
        """Assert that no report names other bytes than those beside it.

        If the set returns to earlier content while a worker on that content is stopped, the copies of the worker may be
        in the bucket for a moment before its report.
        """
        if not self.was_stopped:
            self.true_report(FINAL)
            self.true_report(QUARANTINE)

    def true_report(self, bucket):
        """Assert that the report is true; return it and the objects beside it."""
        objects = self.objects(bucket)
        report = json.loads(objects.get("report.json", b"{}"))
        named = {entry["key"].removeprefix(self.prefix): entry["etag"] for entry in report.get("file_set", ())}
        assert named == {name: md5(objects[name]) for name in named}, self.steps
        if report and report["outcome"] != "replacing":
            assert named == {name: md5(body) for name, body in self.digests[report["digest"]].items()}, self.steps
        return report, objects

    def check_end(self):
        is_valid = all(body in VALID for body in self.uploaded.values())
        if self.uploaded and (is_valid or self.quarantines):
            report, objects = self.true_report(FINAL if is_valid else QUARANTINE)
            outcome = "published" if is_valid else "rejected"
            assert (report["outcome"], report["digest"]) == (outcome, self._digest(self.uploaded)), self.steps
            assert {name: objects[name] for name in self.uploaded} == self.uploaded, self.steps
            assert md5(objects["report.html"]) == report["page_etag"], self.steps
            left = sorted(self.prefix + name for name in objects.keys() - self.uploaded.keys() - OWN)
            assert left == report["left_over"], self.steps
            assert not (self.removes and left), self.steps
        if not is_valid:
            self.check_reports()
        if not self.was_disturbed and not self.was_stopped:
            assert self.true_report(FINAL)[0].get("outcome") in (None, "published"), self.steps
        self.check_notifications()

    def check_notifications(self):
        """Assert one notification of each outcome, or none and a dead letter for a person if a call was cut off."""
        called = [report["digest"] for _, report in self.world.outside.hooks]
        mailed = re.findall(r"X-Bucket-Brigade-Outcome: (\w+)", "".join(mail.raw_data for mail in mails()))
        bodies = [issue["body"] for issue in self.world.outside.issues]
        bodies += [each["body"] for comments in self.world.outside.comments.values() for each in comments]
        marked = re.findall(r"upload_validate (\w+)", "".join(bodies))
        for once in (called, mailed, marked):
            assert len(once) == len(set(once)), self.steps
        assert set(called) <= self.digests.keys() >= set(marked), self.steps
        digest = self._digest(self.uploaded)
        if self.uploaded and digest not in called:
            assert any(UNCERTAIN in log for log in self.said), self.steps
