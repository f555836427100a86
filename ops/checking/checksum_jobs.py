"""`brigade check --checksums`: a job on each side of a mirror that computes the checksums of its objects.

Amazon S3 User Guide, "Compute checksums".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from ops.batch_jobs import Job, Jobs, Kind, Objects, request_of
from ops.batch_progress import counted, follow
from ops.batch_report import rows_in
from ops.brigade import Brigade
from ops.checking.reported_checksums import ReportedChecksums
from ops.deployment import JobPlace, Mirror
from ops.errors import ExitStatus, OpsError
from ops.estimating.costs import checksum_job
from ops.estimating.prices import Prices
from ops.interrupts import one_step
from ops.plurals import number_of

# The price and the work are the same for every algorithm, and no two objects are known to have the same SHA-256.
ALGORITHM = "SHA256"
OPERATION = {"S3ComputeObjectChecksum": {"ChecksumAlgorithm": ALGORITHM, "ChecksumType": "FULL_OBJECT"}}
KIND = Kind(f"brigade checksums {ALGORITHM}", OPERATION, "checksums")

ROLE = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/.+")
JOB_IDS = re.compile(r"([\w-]{5,36}),([\w-]{5,36})", re.ASCII)


class Options(NamedTuple):
    """What the user chose.

    Attributes:
        prefix: the beginning of the keys.
        role: the ARN of the role of jobs in the destination's account, or None.
        reports: the bucket of their reports, or None.
        jobs: the ids of a job at the source and of one at the destination whose reports are taken, or None.
    """

    prefix: str
    role: str | None
    reports: str | None
    jobs: tuple[str, ...] | None


@dataclass(frozen=True)
class JobSide:
    """A side of a mirror, and what a job there needs.

    Attributes:
        name: `source` or `destination`.
        bucket: its bucket.
        place: the job's role and report.
        jobs: the jobs of its account.
        s3: an S3 client of its account.
    """

    name: str
    bucket: str
    place: JobPlace
    jobs: Jobs
    s3: Any

    def about(self, prefix: str) -> str:
        """Return what the description of a job says of its objects."""
        return f"s3://{self.bucket}/{prefix}"

    def request(self, prefix: str) -> dict[str, Any]:
        """Return CreateJob's request."""
        return request_of(KIND, self.place, Objects(self.bucket, prefix), about=self.about(prefix))

    def found(self, job_id: str, prefix: str) -> Job:
        """Return a job of an earlier check.

        Raises:
            OpsError: there is none with this id, or it is about other objects.
        """
        job, wanted = self.jobs.find(job_id), KIND.description(self.about(prefix))
        if job is None or job.description != wanted:
            raise OpsError(f"--checksum-jobs: {job_id} is no job at the {self.name} with the description {wanted}")
        return job


class ChecksumJobs:
    """The jobs on both sides of a mirror.

    Args:
        brigade: the command's deployment and clients.
        mirror: the mirror.
        options: what the user chose.

    Raises:
        OpsError: an option is missing or wrong, or the destination is no bucket on AWS.
    """

    def __init__(self, brigade: Brigade, mirror: Mirror, options: Options) -> None:
        self._brigade = brigade
        self._mirror = mirror
        self._options = options
        self._there = _place_there(brigade, mirror, options)

    def show_requests(self) -> ExitStatus:
        """Show what would be started, and what it would cost."""
        prices = Prices.read()
        for side in self._sides:
            request = side.request(self._options.prefix)
            found = counted(side.s3, side.bucket, self._options.prefix)
            dollars = checksum_job(prices, found.objects, found.size)
            self._brigade.screen.say(json.dumps(request, indent=2))
            self._brigade.screen.say(f"{side.name}: {found}, ${dollars:,.2f} at the prices of {prices.region}")
            about = {"objects": found.objects, "bytes": found.size, "exact": found.is_exact, "dollars": dollars}
            self._brigade.screen.record({"type": "job", "side": side.name, "request": request, **about})
        return ExitStatus.DONE

    def read_into(self, reported: ReportedChecksums) -> None:
        """Run both jobs, or take those that ran, and read their reports.

        Raises:
            OpsError: a job failed.
            KeyboardInterrupt: the user pressed Ctrl-C; the jobs go on.
        """
        with one_step():
            jobs = self._taken(self._options.jobs) if self._options.jobs else self._started()
            self._report(jobs)
            self._brigade.screen.remark(f"--checksum-jobs {_joined(jobs)} takes the reports of these jobs again")
        self._wait(jobs)
        self._report(jobs)
        with self._brigade.screen.progress("checksums") as progress:
            for side, job in zip(self._sides, jobs, strict=True):
                if job.status != "Complete":
                    raise OpsError(f"the job {job.id} at the {side.name} is {job.status}: {job.reason or 'no reason'}")
                folder, task = KIND.folder(job.id), progress.task_ids[0]
                parts = (rows_in(side.s3, side.place.reports, folder, succeeded=one) for one in (True, False))
                read = sum(reported.add(side.name, progress.track(part, task_id=task)) for part in parts)
                if read != job.done:
                    where = f"s3://{side.place.reports}/{folder}"
                    rows, objects = number_of(read, "row"), number_of(job.done, "object")
                    raise OpsError(f"the report in {where} has {rows}, and its job had {objects}")

    @cached_property
    def _sides(self) -> tuple[JobSide, JobSide]:
        brigade, mirror, here, there = self._brigade, self._mirror, self._mirror.checksums, self._there
        jobs_here = Jobs(brigade.client("s3control"), here.account_id)
        jobs_there = Jobs(brigade.destination_client(mirror, "s3control"), there.account_id)
        return (
            JobSide("source", mirror.source, here, jobs_here, brigade.client("s3")),
            JobSide("destination", mirror.destination, there, jobs_there, brigade.destination_s3(mirror)),
        )

    def _started(self) -> list[Job]:
        """Start both jobs, or none."""
        started: dict[str, Job] = {}
        source, destination = self._sides
        try:
            # The destination first: its role and bucket are the user's own, and more likely to be wrong.
            for side in (destination, source):
                started[side.name] = side.jobs.create(side.request(self._options.prefix))
        except (BotoCoreError, ClientError):
            for job in started.values():
                destination.jobs.cancel(job.id)
            raise
        return [started[side.name] for side in self._sides]

    def _taken(self, ids: Sequence[str]) -> list[Job]:
        return [side.found(one, self._options.prefix) for side, one in zip(self._sides, ids, strict=True)]

    def _wait(self, jobs: list[Job]) -> None:
        """Show the progress of both jobs until they have ended."""
        side_of = dict(zip((job.id for job in jobs), self._sides, strict=True))
        try:
            follow(self._brigade.screen, jobs, lambda job: side_of[job.id].found(job.id, self._options.prefix))
        except KeyboardInterrupt:
            remark = self._brigade.screen.remark
            remark(f"the jobs go on: the same command with --checksum-jobs {_joined(jobs)} waits for them;")
            for job in jobs:
                account = side_of[job.id].place.account_id
                remark(
                    f"at the {side_of[job.id].name}, `aws s3control update-job-status --account-id {account} "
                    f"--job-id {job.id} --requested-job-status Cancelled` cancels its job"
                )
            raise

    def _report(self, jobs: Sequence[Job]) -> None:
        for side, job in zip(self._sides, jobs, strict=True):
            created = f"{job.created:%Y-%m-%dT%H:%M:%SZ}"
            self._brigade.screen.record({"type": "job", "side": side.name, **asdict(job), "created": created})
            text = f"{job.status}, {number_of(job.succeeded, 'checksum')}, {job.failed:,} failed"
            self._brigade.screen.say(f"the job {job.id} at the {side.name}: {text}")


def _place_there(brigade: Brigade, mirror: Mirror, options: Options) -> JobPlace:
    """Return role and report bucket of the destination's account."""
    if endpoint := brigade.settings(mirror.replicate).get("DEST_ENDPOINT_URL"):
        raise OpsError(f"--checksums: {endpoint} is not AWS, and only AWS computes checksums: --download reads instead")
    if not options.role or not options.reports:
        raise OpsError(
            "--checksums needs --destination-job-role and --destination-reports: a role and a bucket of the "
            'destination\'s account, see "Checksums" in docs/brigade.md'
        )
    if not ROLE.fullmatch(options.role):
        form = "arn:aws-us-gov:iam::123456789012:role/NAME"
        raise OpsError(f"--destination-job-role should be the ARN of a role, such as {form}; it is {options.role}")
    return JobPlace(options.role, options.reports)


def _joined(jobs: Sequence[Job]) -> str:
    return ",".join(job.id for job in jobs)


def checksum_options(options: Mapping[str, Any]) -> Options | None:
    """Return what the options of the command say, or None if no checksums are asked for.

    Raises:
        OpsError: an option goes with no checksums.
    """
    if not (options["checksums"] or options["checksum_jobs"]):
        if alone := [name for name in ("destination_job_role", "destination_reports") if options[name]]:
            raise OpsError(
                f"--{alone[0].replace('_', '-')} goes with --checksums only: add --checksums, or leave it out"
            )
        return None
    if wrong := [f"--{name}" for name in ("versions", "download", "deep") if options[name]]:
        raise OpsError(f"--checksums compares the bytes of current objects: leave out {' and '.join(wrong)}")
    role, reports, jobs = (options[name] for name in ("destination_job_role", "destination_reports", "checksum_jobs"))
    return Options(options["prefix"], role, reports, _ids_in(jobs) if jobs else None)


def _ids_in(text: str) -> tuple[str, ...]:
    if ids := JOB_IDS.fullmatch(text):
        return ids.groups()
    raise OpsError(f"--checksum-jobs should be the ids of two jobs, SOURCE,DESTINATION; it is {text}")
