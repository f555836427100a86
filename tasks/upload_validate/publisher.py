"""Objects written to a bucket: the files of a set, copied as they were checked, and the report after them."""

from dataclasses import dataclass

from tasks.upload_validate.errors import SetChangedError
from tasks.upload_validate.page import page_of
from tasks.upload_validate.profile import PAGE, REPORT
from tasks.upload_validate.report import to_json
from tasks.utils.copies import copy_object
from tasks.utils.errors import (
    ConditionNotSupportedException,
    ObjectChangedException,
    ObjectNotFoundException,
)
from tasks.utils.s3_object import S3Object
from tasks.utils.s3_requests import S3Requests, head

# Each lost race means that another verdict on this prefix was written within milliseconds.
ROUNDS = 5


@dataclass(frozen=True)
class Publisher:
    """Writes to one bucket.

    Attributes:
        requests: an `S3Requests`.
        bucket: the bucket's name.
    """

    requests: S3Requests
    bucket: str

    def copy_files(self, file_set):
        """Copies the files of a set, each only as long as it is what was listed.

        Raises:
            SetChangedError: another object has taken a file's place, or it is gone.
        """
        for file in file_set.files:
            try:
                copy_object(
                    self.requests,
                    S3Object(file_set.bucket, file.key),
                    S3Object(self.bucket, file.key),
                    etag=file.etag,
                    size=file.size,
                )
            except ObjectNotFoundException as error:
                if error.code == "NoSuchBucket":
                    raise
                raise SetChangedError(str(error)) from error

    def write_report(self, verdict, report, *, assure_unchanged):
        """Writes `report.html` and then `report.json`, beside the files.

        A verdict on what a set once was never takes the place of one on what it is now: before each write it is looked
        at what lies there, then whether the set is still the one judged, and then it is written only over what was
        seen.

        Args:
            verdict: the `Verdict`.
            report: the report as a dict.
            assure_unchanged: raises `SetChangedError` where the set is no longer what was judged.
        """
        prefix = verdict.file_set.prefix
        for name, kind, body in (
            (PAGE, "text/html; charset=utf-8", page_of(verdict).encode("utf-8", "replace")),
            (REPORT, "application/json", to_json(report)),
        ):
            self._write(S3Object(self.bucket, prefix + name), body, kind, assure_unchanged)

    def _write(self, address, body, kind, assure_unchanged):
        for _ in range(ROUNDS):
            there = head(self.requests, address)
            assure_unchanged()
            condition = {"IfMatch": there["ETag"]} if there else {"IfNoneMatch": "*"}
            try:
                self._put(address, body, kind, condition)
                return
            except ConditionNotSupportedException:
                self._put(address, body, kind, {})
                return
            except ObjectChangedException:
                continue
            except ObjectNotFoundException as error:
                # S3 answers 404 to If-Match where the object was deleted after the look.
                if error.code == "NoSuchBucket":
                    raise
        raise ObjectChangedException(f"other verdicts got in between {ROUNDS} times in a row", destination=address)

    def _put(self, address, body, kind, condition):
        self.requests(
            "put_object", destination=address, Body=body, ContentType=kind, **address.parameters, **condition
        )
