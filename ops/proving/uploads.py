"""The promises of upload_validate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import ClientError

from ops.proving.canary import Canary
from ops.proving.promises import Promise, Subject
from ops.proving.side import ABSENT, Side
from tasks.upload_validate.profile_reader import load_profile

TASK = "upload_validate"
PUBLISHED, REJECTED = "a valid set is published with its report", "an invalid set is rejected with its report"
# The profile whose files are known here.
PROFILE = "polling-stations"
# Settings that make the task speak to people.
NOTIFYING = {"GITHUB_API_KEY": "GitHub", "WDIV_API_KEY": "the webhook", "ERROR_REPORT_EMAIL": "an e-mail address"}

HEADER, ROW = "houseid,station,address,postcode", "7,Village Hall,1 High Street,BN15 9AA"
VALID = "".join(f"{line}\r\n" for line in (HEADER, *[ROW] * 60)).encode()
INVALID = VALID + b"8,Church\r\n"


@dataclass(frozen=True)
class UploadProof:
    """What is uploaded, and what the final and the quarantine bucket have to hold then.

    Args:
        uploads: the upload bucket.
        final: the bucket of valid sets.
        quarantine: the bucket of invalid sets, or None.
        settings: the settings of the function.
        canary: the run.
    """

    uploads: Side
    final: Side
    quarantine: Side | None
    settings: Mapping[str, str]
    canary: Canary

    def promises(self) -> list[Promise]:
        """Return the promises, of which nothing is done yet."""
        if reason := self._excluded():
            return [Promise(TASK, text, skipped=reason) for text in (PUBLISHED, REJECTED)]
        valid = self._subject("valid", VALID, self.final, "published")
        return [Promise(TASK, PUBLISHED, [valid]), self._rejected()]

    def _rejected(self) -> Promise:
        if not self.quarantine:
            reason = "no quarantine bucket is deployed, so a rejected set leaves no object"
            return Promise(TASK, REJECTED, skipped=reason)
        return Promise(TASK, REJECTED, [self._subject("invalid", INVALID, self.quarantine, "rejected")])

    def _excluded(self) -> str:
        profile = self.settings.get("PROFILE") or PROFILE
        if profile != PROFILE:
            return f"the profile is {profile}, and only files of {PROFILE} are known here"
        if not load_profile(PROFILE, "", None).layout.place_of(f"{self.canary.prefix}valid/stations.csv"):
            return f"the profile's layout excludes {self.canary.prefix}: pass a --prefix of one folder"
        notified = [service for name, service in NOTIFYING.items() if self.settings.get(name)]
        if notified and not self.canary.notify:
            return f"{', '.join(notified)} would be notified: --notify allows that"
        return ""

    def _subject(self, name: str, body: bytes, bucket: Side, outcome: str) -> Subject:
        folder = f"{self.canary.prefix}{name}/"
        put = partial(self.uploads.put, f"{folder}stations.csv", body)
        return Subject(folder, [put], partial(_difference, bucket, folder, outcome, body))


def _difference(side: Side, folder: str, outcome: str, body: bytes) -> str:
    report = _body(side, f"{folder}report.json")
    if report is None:
        return f"{side.bucket} has no report"
    if (found := json.loads(report)["outcome"]) != outcome:
        return f"its report says {found}, not {outcome}"
    missing = [name for name in ("report.html", "stations.csv") if _body(side, folder + name) is None]
    if missing:
        return f"{side.bucket} does not have {' and '.join(missing)}"
    return "" if _body(side, f"{folder}stations.csv") == body else "its file differs in bytes"


def _body(side: Side, key: str) -> bytes | None:
    try:
        body: bytes = side.s3.get_object(Bucket=side.bucket, Key=key)["Body"].read()
        return body
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise
