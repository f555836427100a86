"""A large object whose function is killed during the upload, and resumed by the next one."""

import os
from collections import Counter
from typing import TYPE_CHECKING

from local.demo.mirror import SOURCE, Mirror, MirrorLog
from local.demo.screen import AddRow

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

LARGE = "granules/200 MB.hdf"
LARGE_BYTES = 200_000_000
PART_BYTES = 16 * 1024 * 1024

# The function is killed once two parts are visible. More parts arrive before its end, about half of them in all.
PARTS_BEFORE_CRASH = 2


class UploadParts:
    """The parts of the large object's upload at the mirror: number -> (id of the upload, time of the part).

    Attributes:
        at_crash: The parts when the function was killed.
        latest: The parts at the last observation of the upload.
    """

    def __init__(self, mirror: Mirror):
        self.at_crash: dict[int, tuple[str, datetime]] = {}
        self.latest: dict[int, tuple[str, datetime]] = {}
        self._mirror = mirror

    @property
    def kept(self) -> int:
        """The number of parts from before the crash that the next function kept and added to."""
        resumed = len(self.latest) > len(self.at_crash)
        return len(self.at_crash.items() & self.latest.items()) if resumed else 0

    @property
    def problems(self) -> list[str]:
        """The problem if not all parts were kept."""
        before = len(self.at_crash)
        return [] if 0 < before == self.kept else [f"{LARGE}: of {before} parts before the crash {self.kept} were kept"]

    def crash_when_started(self) -> None:
        """Observe the upload, and kill the function once some parts are there."""
        parts = self._list()
        if not parts:
            return
        if not self.at_crash and len(parts) >= PARTS_BEFORE_CRASH:
            if not self._mirror.stack.functions.crash(self._mirror.outputs["replicate_function_name"]):
                return
            # Parts that were already sent may have arrived after the observation.
            parts = self.at_crash = self._list()
        self.latest = parts

    def _list(self) -> "dict[int, tuple[str, datetime]]":
        s3, bucket = self._mirror.destination, self._mirror.outputs["destination_bucket"]
        found = {}
        for upload in s3.list_multipart_uploads(Bucket=bucket, Prefix=LARGE).get("Uploads", []):
            try:
                listed = s3.list_parts(Bucket=bucket, Key=LARGE, UploadId=upload["UploadId"])
            except s3.exceptions.NoSuchUpload:
                continue
            for part in listed.get("Parts", []):
                found[part["PartNumber"]] = upload["UploadId"], part["LastModified"]
        return found


def crash_half_way(mirror: Mirror, log: MirrorLog, show: AddRow) -> UploadParts:
    """Upload a large object, and kill the function that mirrors it half way."""
    _upload_large(mirror.source)
    parts = UploadParts(mirror)
    log.show_arrivals(Counter([LARGE]), show, meanwhile=parts.crash_when_started)
    return parts


def _upload_large(s3: "S3Client") -> None:
    upload_id = s3.create_multipart_upload(
        Bucket=SOURCE, Key=LARGE, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )["UploadId"]
    # All parts share one block of random bytes, except for their first four bytes.
    block = bytearray(os.urandom(PART_BYTES))
    parts: list[CompletedPartTypeDef] = []
    for number, start in enumerate(range(0, LARGE_BYTES, PART_BYTES), start=1):
        block[:4] = number.to_bytes(4, "big")
        part = s3.upload_part(
            Bucket=SOURCE,
            Key=LARGE,
            UploadId=upload_id,
            PartNumber=number,
            Body=bytes(memoryview(block)[: LARGE_BYTES - start]),
            ChecksumAlgorithm="CRC32",
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]})
    s3.complete_multipart_upload(Bucket=SOURCE, Key=LARGE, UploadId=upload_id, MultipartUpload={"Parts": parts})
