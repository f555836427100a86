"""The address of an object in S3, written one way everywhere."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class S3Object:
    """A bucket, a key as S3 stores it (never URL-encoded), and the version where one is meant.

    Printed as `s3://bucket/key?versionId=...`, in one line whatever the key holds: characters that a terminal
    or a log reader would act on (newlines, control and direction characters) are shown as Python escapes.
    """

    bucket: str
    key: str
    version_id: str | None = None

    def __str__(self):
        version = f"?versionId={self.version_id}" if self.version_id else ""
        # A message may name any bucket and any version.
        return printable(f"s3://{self.bucket}/{self.key}{version}")

    @property
    def parameters(self):
        """The keyword arguments by which boto3 reads this object: `Bucket`, `Key` and, if set, `VersionId`."""
        version = {"VersionId": self.version_id} if self.version_id else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}


def printable(text):
    """Returns `text` with every character that does not print replaced by its Python escape (`\\n`, `\\u202e`)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
