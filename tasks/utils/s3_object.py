"""The address of an object in S3."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class S3Object:
    """A bucket, a key as S3 stores it (not URL-encoded), and optionally a version.

    Its text is `s3://bucket/key?versionId=...`, on one line whatever the key holds: characters that a terminal or a log
    reader interprets (newlines, control and direction characters) appear as Python escapes.
    """

    bucket: str
    key: str
    version_id: str | None = None

    def __str__(self) -> str:
        version = f"?versionId={self.version_id}" if self.version_id else ""
        # A message may name any bucket and any version.
        return printable(f"s3://{self.bucket}/{self.key}{version}")

    @property
    def parameters(self) -> dict[str, str]:
        """The keyword arguments with which boto3 reads this object: `Bucket`, `Key` and, if set, `VersionId`."""
        version = {"VersionId": self.version_id} if self.version_id else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}


def printable(text: str) -> str:
    """Return `text` with each character that does not print replaced by its Python escape (`\\n`, `\\u202e`)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
