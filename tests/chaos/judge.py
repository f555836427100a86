"""The end of a run, judged by `brigade`: 0 objects wrong, 0 lost, and each dead letter with its reason."""

import json
from collections import Counter

from local.demo.mirror import DESTINATION_REGION
from tests.chaos.changes import ARCHIVE, MIRROR, POISON, UNMAPPED, UPLOADS, body_of, is_valid
from tests.chaos.writers import poison
from tests.permissions.comparison import denied
from tests.permissions.grants import grants_of

# What `explain` concludes about an uploaded file, by the outcome of its set.
CONCLUSIONS = {"published": "the file is published", "rejected": "the verdict on its file set is: rejected"}
# `explain` takes a second for each object, because it waits for dead letters. The others are judged all the same.
MOST_EXPLAINED = 20
NO_ARCHIVE, OLDER = "UnmappedExtensionError", "OlderVersionError"


class Judge:
    """Judges the end of a run; each method yields sentences on what is wrong.

    Args:
        stage: the `Stage`.
        plan: the `Plan`.
        writers: the `Writers`.
    """

    def __init__(self, stage, plan, writers):
        self._stage = stage
        self._plan = plan
        self._writers = writers
        self._poison = {poison(change) for changes in plan.of_task(POISON).values() for change in changes}

    def letters(self):
        """Return the dead letters."""
        return self._stage.brigade("dead", "show").records

    def of_letters(self, letters):
        """Dead letters without a reason."""
        yield from (f"the dead letter {letter['id']} has no reason" for letter in letters if not letter["reason"])

    def of_redriven(self, letters):
        """Dead letters after the redrive that no plan expects, and poison that is not among them."""
        yield from (_named(letter) for letter in letters if not self._is_expected(letter))
        found = {letter["body"] for letter in letters}
        yield from (f"the poison is in no dead-letter queue: {text}" for text in sorted(self._poison - found))
        for letter in [letter for letter in letters if letter["key"] in self._plan.of_task(ARCHIVE)][:MOST_EXPLAINED]:
            story = self._explained(ARCHIVE, "source_bucket", letter["key"]).records
            # The conclusion names the latest dead letter of a key, and the story each of them.
            if not any(letter["reason"] in str(text) for record in story for text in record.values()):
                yield f"explain does not name the reason of {_named(letter)}"

    def of_redrive(self):
        """Dead letters that cannot be sent back."""
        answer = self._stage.brigade("dead", "redrive", "--yes")
        if answer.status == 2:
            yield f"dead redrive failed: {answer.printed}"

    def of_mirror(self):
        """Keys of the mirror that differ, or that are not there."""
        for options in (["--deep"], ["--versions"]):
            answer = self._stage.brigade("check", "--lag", "0", *options)
            for number, record in enumerate(_differences(answer)):
                story = self._story(record["key"]) if number < MOST_EXPLAINED else ""
                yield f"check {' '.join(options)}: {record}{story}"
            if answer.status == 2:
                yield f"check {' '.join(options)} failed: {answer.printed}"
        kept, compared = self._writers.mirrored(), answer.records[-1]["keys"]
        if compared != len(kept):
            yield f"check compared {compared} of {len(kept)} keys"

    def of_archives(self):
        """Restored objects that are not archived; those that no archive takes are named by `check` and `explain`."""
        restored = self._plan.of_task(ARCHIVE)
        unmapped = {key for key in restored if key.endswith(UNMAPPED)}
        answer = self._stage.brigade("check", "--task", "archive_copy", "--lag", "0")
        found = {record["key"]: record for record in _differences(answer)}
        yield from (f"check of the archives: {record}" for key, record in found.items() if key not in unmapped)
        yield from (f"check does not name {key}" for key in unmapped - found.keys())
        if answer.records[-1]["keys"] != len(restored):
            yield f"check compared {answer.records[-1]['keys']} of {len(restored)} restored objects"

    def of_uploads(self):
        """Sets whose outcome is not that of their files. No `check` compares them, so the reports are read too."""
        for number, (prefix, changes) in enumerate(self._writers.sets().items()):
            outcome = "published" if all(map(is_valid, changes.values())) else "rejected"
            yield from self._of_report(prefix, changes, outcome)
            if number < MOST_EXPLAINED:
                concluded = self._conclusion(UPLOADS, "upload_bucket", min(changes))
                if CONCLUSIONS[outcome] not in concluded:
                    yield f"{min(changes)} should be {outcome}; explain: {concluded}"

    def of_notifications(self):
        """Contents of a set whose report the webhook got twice."""
        counts = Counter((report["set"], report["digest"]) for report in self._stage.services.reports)
        yield from (f"the webhook was called {count} times for {what}" for what, count in counts.items() if count > 1)

    def of_permissions(self):
        """Calls that no policy of the deployment allows."""
        grants = set(grants_of(self._stage.aws, self._stage.aws.region, DESTINATION_REGION))
        return denied(grants, set(self._stage.decisions))

    def _of_report(self, prefix, changes, outcome):
        s3, outputs = self._stage.aws.client("s3"), self._stage.outputs(UPLOADS)
        bucket = outputs["final_bucket" if outcome == "published" else "quarantine_bucket"]
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        names = {each["Key"] for each in listed} - {f"{prefix}report.html"}
        if names != {*changes, f"{prefix}report.json"}:
            yield f"{prefix} is {outcome}, and {bucket} holds {sorted(names)}"
            return
        report = json.loads(s3.get_object(Bucket=bucket, Key=f"{prefix}report.json")["Body"].read())
        if report["outcome"] != outcome:
            yield f"{prefix} is {outcome}, and its report says {report['outcome']}"
        for key, change in changes.items():
            if s3.get_object(Bucket=bucket, Key=key)["Body"].read() != body_of(change):
                yield f"{key} is {outcome}, and its bytes in {bucket} are others"

    def _story(self, key):
        """Return, in lines of their own, what `explain` says about a mirrored object, and the writes to it."""
        records = self._explained(MIRROR, "source_bucket", key).records
        return "".join(f"\n    {line}" for line in [*records, *self._stage.wire.writes_to(key)])

    def _explained(self, task, bucket, key):
        return self._stage.brigade("explain", f"s3://{self._stage.outputs(task)[bucket]}/{key}")

    def _conclusion(self, task, bucket, key):
        answer = self._explained(task, bucket, key)
        return answer.records[-1]["conclusion"] if answer.records else answer.printed

    def _is_expected(self, letter):
        """Return whether a plan has this dead letter: poison, an unmapped extension, or an overtaken version."""
        is_overtaken = letter["type"] == OLDER and len(self._plan.of_task(ARCHIVE).get(letter["key"], ())) > 1
        is_unmapped = letter["type"] == NO_ARCHIVE and letter["key"].endswith(UNMAPPED)
        return letter["body"] in self._poison or is_unmapped or is_overtaken


def _differences(answer):
    return [record for record in answer.records if record["type"] == "difference" and not record["expected"]]


def _named(letter):
    return f"unexpected dead letter of {letter['task']}: {letter['type']}: {letter['reason']} (key {letter['key']})"
