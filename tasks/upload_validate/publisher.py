"""A bucket that is made to hold a set: the files, copied as they were checked, and the page and report on them.

Nothing is remembered of what lies in the bucket: it is looked at each time. The report names the set's digest, and the
ETags of the copies and of the page.

Two workers may publish different sets of one prefix at the same time, and one of them may be late. Three rules make the
newest set win:

- Files are copied only as long as they are what was listed, and over what was compared (`copies.copy_object`).
- Page and report are written over what was seen, and the upload is looked at between that look and the write.
- When all is written, the upload is looked at once more. A worker on what the set once was finds that out here and
  begins again with what the set is now; where it was killed before, its message comes back.
"""

import json
from dataclasses import dataclass

from tasks.object_clerk import checksums
from tasks.object_clerk.copies import copy_object
from tasks.object_clerk.downloads import blocks
from tasks.object_clerk.errors import KeyNotFoundException, ObjectChangedException
from tasks.object_clerk.races import conditional_write, precondition, retry_lost_races
from tasks.object_clerk.s3_requests import S3Requests
from tasks.upload_validate.errors import SetChangedError
from tasks.upload_validate.file_sets import list_objects
from tasks.upload_validate.page import page_of, replacing_page
from tasks.upload_validate.profile import PAGE, REPORT
from tasks.upload_validate.report import Placed, to_json
from tasks.utils.s3_object import S3Object

# Each lost race means that another verdict on this prefix was written within milliseconds.
ROUNDS = 5


@dataclass(frozen=True)
class Publisher:
    """Makes one bucket hold sets.

    Attributes:
        requests: an `S3Requests`.
        bucket: the bucket's name.
        removes: files under the set's prefix that are not of the set are removed; otherwise the report names them.
    """

    requests: S3Requests
    bucket: str
    removes: bool = False

    def holds(self, file_set):
        """Returns whether the bucket holds this set, with page and report, and no file that they do not speak of."""
        found = self._look(file_set.prefix)
        report = self._read_report(file_set.prefix + REPORT, found)
        try:
            named = {entry["key"]: entry["published_etag"] for entry in report["file_set"] if entry["published_etag"]}
            named[file_set.prefix + PAGE] = report["page_etag"]
            left_over = [] if self.removes else report["left_over"]
            return (
                report["digest"] == file_set.digest
                and named.items() <= found.items()
                and found.keys() - named.keys() - {file_set.prefix + REPORT} == set(left_over)
            )
        except (AttributeError, KeyError, TypeError):
            # No report, one of an earlier version of this task, one of a set that is being replaced, or something else.
            return False

    def publish(self, verdict, *, assure_unchanged, issue=lambda: ""):
        """Makes the bucket hold a set; the report comes last, when all that it names is there.

        Args:
            verdict: the `Verdict` on the set.
            assure_unchanged: raises `SetChangedError` where the uploaded set is no longer what was judged.
            issue: returns the address of the GitHub issue, or ""; called when all files are copied.

        Returns:
            The report, a dict.

        Raises:
            SetChangedError: another object has taken a file's place, or the set has changed.
            ObjectClerkException: S3 refuses something.
        """
        prefix = verdict.file_set.prefix
        self._write_over_what_is_found(prefix, assure_unchanged, lambda found: self._retract(verdict, found))
        etags = self._copy_files(verdict.file_set)
        address = issue()
        report, left_over = self._write_over_what_is_found(
            prefix, assure_unchanged, lambda found: self._report(verdict, etags, address, found)
        )
        if self.removes:
            for key, etag in left_over.items():
                self._remove(S3Object(self.bucket, key), etag)
        assure_unchanged()
        return report

    def _look(self, prefix):
        """Returns the ETag of each object by its key."""
        return {file.key: file.etag for file in list_objects(self.requests, self.bucket, prefix)}

    def _read_report(self, key, found):
        if key not in found:
            return None
        try:
            return json.loads(b"".join(blocks(self.requests, S3Object(self.bucket, key), etag=found[key])))
        except (KeyNotFoundException, ObjectChangedException, ValueError):
            pass
        return None

    def _write_over_what_is_found(self, prefix, assure_unchanged, write):
        """Looks at the bucket, then at the upload, and calls `write(found)`, which writes over what was found only."""

        def attempt():
            found = self._look(prefix)
            assure_unchanged()
            return write(found)

        reason, where = "other verdicts got in between", f"s3://{self.bucket}/{prefix}"
        return retry_lost_races(attempt, requests=self.requests, rounds=ROUNDS, reason=reason, destination=where)

    def _retract(self, verdict, found):
        """Takes page and report back before bytes that they may speak of are replaced.

        A set that only grows keeps its report until the new one is whole.
        """
        if any(found.get(file.key, file.etag) != file.etag for file in verdict.file_set.files):
            self._write(verdict, found, replacing_page(verdict), lambda _: verdict.report_while_replaced())

    def _copy_files(self, file_set):
        """Copies each file as long as it is what was listed; returns the ETags of the copies by key."""
        etags = {}
        for file in file_set.files:
            try:
                copied = copy_object(
                    self.requests,
                    S3Object(file_set.bucket, file.key),
                    S3Object(self.bucket, file.key),
                    etag=file.etag,
                    size=file.size,
                )
            except KeyNotFoundException as error:
                raise SetChangedError(str(error)) from error
            etags[file.key] = checksums.bare(copied.etag)
        return etags

    def _report(self, verdict, etags, issue, found):
        if not etags.items() <= found.items():
            raise SetChangedError(f"another set was published under {verdict.file_set.prefix}")
        own = (verdict.file_set.prefix + PAGE, verdict.file_set.prefix + REPORT)
        left_over = {key: etag for key, etag in found.items() if key not in etags and key not in own}
        named = () if self.removes else tuple(sorted(left_over))
        report = self._write(
            verdict,
            found,
            page_of(verdict),
            lambda page_etag: verdict.report(issue=issue, placed=Placed(etags, page_etag, named)),
        )
        return report, left_over

    def _write(self, verdict, found, page, report_of):
        prefix = verdict.file_set.prefix
        body = page.encode("utf-8", "replace")
        report = report_of(self._put(prefix + PAGE, found, body, "text/html; charset=utf-8"))
        self._put(prefix + REPORT, found, to_json(report), "application/json")
        return report

    def _put(self, key, found, body, kind):
        address = S3Object(self.bucket, key)

        def put(condition):
            return self.requests(
                "put_object", destination=address, Body=body, ContentType=kind, **address.parameters, **condition
            )

        answer = conditional_write(put, precondition(found.get(key)))
        return checksums.bare(answer["ETag"])

    def _remove(self, address, etag):
        def delete(condition):
            self.requests("delete_object", destination=address, **address.parameters, **condition)

        try:
            conditional_write(delete, precondition(etag))
        except ObjectChangedException:
            # It is gone, or another worker put it there: the look at the upload that follows says whose it is.
            pass
