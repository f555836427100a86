"""The final and the quarantine bucket: they hold a set with its page and its report.

The task remembers nothing about these buckets and lists them each time. The report names the set's digest and the ETags
of the copies and of the page.

Two workers may publish different sets of one prefix at the same time, and one of them may be late. Three rules make the
newest set win:

- A file is copied only while its ETag is the listed one, and replaces only the object that it was compared with
  (`copies.copy_object`).
- Page and report replace only the objects that were listed, and the upload is listed between that list and the write.
- The upload is listed once more after the last write (`effects.ConfirmUpload`). A worker on an earlier set notices the
  change there and starts again with the current set. If it was killed before, its message is delivered again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.object_clerk import checksums
from tasks.object_clerk.copies import copy_object
from tasks.object_clerk.downloads import blocks
from tasks.object_clerk.errors import KeyNotFoundException, ObjectChangedException
from tasks.object_clerk.races import conditional_write, precondition, retry_lost_races
from tasks.object_clerk.s3_requests import S3Requests
from tasks.upload_validate.errors import SetChangedError
from tasks.upload_validate.file_sets import FileSet, UploadBucket, list_etags
from tasks.upload_validate.page import page_of, replacing_page
from tasks.upload_validate.profile import PAGE, REPORT
from tasks.upload_validate.verdict import Placed, Verdict, to_json
from tasks.utils.s3_object import S3Object

# Each lost race means that another verdict on this prefix was written within milliseconds.
ROUNDS = 5

ETags = Mapping[str, str]


@dataclass
class Progress:
    """What the effects of one verdict hand on to later effects.

    Attributes:
        etags: the ETags of the copies by key.
        issue: the address of the GitHub issue, or "".
        report: the report in the bucket; empty if none was written.
        left_over: the ETags of the files of earlier sets by key.
    """

    etags: dict[str, str] = field(default_factory=dict)
    issue: str = ""
    report: dict[str, Any] = field(default_factory=dict)
    left_over: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Publisher:
    """Writes sets into the final and the quarantine bucket.

    Attributes:
        requests: an `S3Requests`.
        uploads: the `UploadBucket`.
    """

    requests: S3Requests
    uploads: UploadBucket

    def holds(self, bucket: str, file_set: FileSet, *, keeps_left_over: bool) -> bool:
        """Return whether a bucket holds this set with its page and report, and no file that the report does not name.

        Args:
            bucket: the bucket's name.
            file_set: the `FileSet`.
            keeps_left_over: whether the bucket may hold the files of earlier sets that the report names.
        """
        found = list_etags(self.requests, bucket, file_set.prefix)
        report = self._read_report(S3Object(bucket, file_set.prefix + REPORT), found)
        try:
            named = {entry["key"]: entry["published_etag"] for entry in report["file_set"] if entry["published_etag"]}
            named[file_set.prefix + PAGE] = report["page_etag"]
            left_over = report["left_over"] if keeps_left_over else []
            return (
                report["digest"] == file_set.digest
                and named.items() <= found.items()
                and found.keys() - named.keys() - {file_set.prefix + REPORT} == set(left_over)
            )
        except (AttributeError, KeyError, TypeError):
            # No report, a retracted one, one of an earlier version of this task, or another JSON document.
            return False

    def retract_report(self, bucket: str, verdict: Verdict) -> None:
        """Retract page and report before bytes that they may describe are replaced.

        A set that only grows keeps its report until the new one is written.
        """

        def retract(found: ETags) -> None:
            if any(found.get(file.key, file.etag) != file.etag for file in verdict.file_set.files):
                self._write(bucket, found, verdict, replacing_page(verdict), lambda _: verdict.report_while_replacing())

        self._write_over_what_is_listed(bucket, verdict.file_set, retract)

    def copy_files(self, bucket: str, file_set: FileSet) -> dict[str, str]:
        """Copy each file while its ETag is the listed one; return the ETags of the copies by key.

        Raises:
            SetChangedError: a file was removed or replaced.
            ObjectClerkException: S3 refuses a request.
        """
        etags = {}
        for file in file_set.files:
            source, destination = S3Object(file_set.bucket, file.key), S3Object(bucket, file.key)
            try:
                copied = copy_object(self.requests, source, destination, etag=file.etag, size=file.size)
            except KeyNotFoundException as error:
                raise SetChangedError(str(error)) from error
            etags[file.key] = checksums.bare(copied.etag)
        return etags

    def write_report(self, bucket: str, verdict: Verdict, progress: Progress, *, names_left_over: bool) -> None:
        """Write the page and then the report, and keep the report and the left-over files in `progress`.

        Raises:
            SetChangedError: the bucket or the upload bucket holds another set.
            ObjectChangedException: other verdicts were written at the same time, `ROUNDS` times in a row.
        """
        prefix = verdict.file_set.prefix

        def write(found: ETags) -> None:
            if not progress.etags.items() <= found.items():
                raise SetChangedError(f"another set was published under {prefix}")
            own = {*progress.etags, prefix + PAGE, prefix + REPORT}
            progress.left_over = {key: etag for key, etag in found.items() if key not in own}
            named = tuple(sorted(progress.left_over)) if names_left_over else ()

            def report_of(page_etag: str) -> dict[str, Any]:
                return verdict.report(issue=progress.issue, placed=Placed(progress.etags, page_etag, named))

            progress.report = self._write(bucket, found, verdict, page_of(verdict), report_of)

        self._write_over_what_is_listed(bucket, verdict.file_set, write)

    def remove(self, bucket: str, etags: ETags) -> None:
        """Remove objects that still have these ETags."""
        for key, etag in etags.items():
            self._remove(S3Object(bucket, key), etag)

    def _read_report(self, address: S3Object, found: ETags) -> Any:
        if address.key not in found:
            return None
        try:
            return json.loads(b"".join(blocks(self.requests, address, etag=found[address.key])))
        except (KeyNotFoundException, ObjectChangedException, ValueError):
            return None

    def _write_over_what_is_listed(self, bucket: str, file_set: FileSet, write: Callable[[ETags], None]) -> None:
        """List the bucket, then the upload, and call `write(found)`, which replaces only the listed objects."""

        def attempt() -> None:
            found = list_etags(self.requests, bucket, file_set.prefix)
            self.uploads.confirm_unchanged(file_set)
            write(found)

        reason, place = "other verdicts got in between", f"s3://{bucket}/{file_set.prefix}"
        retry_lost_races(attempt, requests=self.requests, rounds=ROUNDS, reason=reason, destination=place)

    def _write(
        self, bucket: str, found: ETags, verdict: Verdict, page: str, report_of: Callable[[str], dict[str, Any]]
    ) -> dict[str, Any]:
        prefix = verdict.file_set.prefix
        body = page.encode("utf-8", "replace")
        report = report_of(self._put(S3Object(bucket, prefix + PAGE), found, body, "text/html; charset=utf-8"))
        self._put(S3Object(bucket, prefix + REPORT), found, to_json(report), "application/json")
        return report

    def _put(self, address: S3Object, found: ETags, body: bytes, content_type: str) -> str:
        def put(condition: Mapping[str, str]) -> dict[str, Any]:
            where = {**address.parameters, **condition}
            return self.requests("put_object", destination=address, Body=body, ContentType=content_type, **where)

        answer = conditional_write(put, precondition(found.get(address.key)))
        etag: str = checksums.bare(answer["ETag"])
        return etag

    def _remove(self, address: S3Object, etag: str) -> None:
        def delete(condition: Mapping[str, str]) -> dict[str, Any]:
            return self.requests("delete_object", destination=address, **address.parameters, **condition)

        try:
            conditional_write(delete, precondition(etag))
        except ObjectChangedException:
            # It was removed, or another worker wrote it. `ConfirmUpload`, the next effect, finds out whether that
            # worker's set is the newest.
            pass
