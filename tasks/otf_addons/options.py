"""What a task's definition says, as the framework hands it over once its schema has accepted it.

The framework also hands over destinations with options that nobody knows: what its JSON schema says of a wrong
destination names no option and shows the whole of it, keys included. So the schema lets them pass, and they are refused
here, by name.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tasks.otf_addons.plan import Place, Rename
from tasks.utils.errors import SettingsError

HANDLERS = "opentaskpy.addons.aws.remotehandlers"
# One handler serves them all, and is not told which of them it is given.
S3_SCHEMAS = ("transfer/s3_source.json", "transfer/s3_destination.json", "execution/s3/s3.json")
LAMBDA_SCHEMAS = ("execution/lambda/lambda.json",)
# The framework adds it to every definition.
ADDED = {"task_id"}

S3_URL = "s3://"
# What STS gives a role's credentials at least and, where nothing else is asked for, here.
SHORTEST_TOKEN_SECONDS = 900


@dataclass(frozen=True)
class Protocol:  # pylint: disable=too-many-instance-attributes  # one for each option
    """Whose credentials, and how the servers are spoken to; what is None the environment or the machine says.

    Attributes:
        access_key_id: of a user.
        secret_access_key: beside it.
        session_token: beside both, where they are temporary.
        region: the region's name.
        role_arn: a role to assume with these credentials.
        role_external_id: what the role's owner asks for.
        token_seconds: how long the role's credentials are good.
        endpoint_url: the address of a server that is not AWS's.
        owner_full_control: what is written belongs to the bucket's owner.
        read_timeout: seconds without an answer from a function that end the wait for it.
        max_attempts: how often an invocation is tried again.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    region: str | None = None
    role_arn: str | None = None
    role_external_id: str | None = None
    token_seconds: int = SHORTEST_TOKEN_SECONDS
    endpoint_url: str | None = None
    owner_full_control: bool = True
    read_timeout: int | None = None
    max_attempts: int = 0

    def __repr__(self):
        return f"Protocol({self.access_key_id or self.role_arn or 'the environment'})"

    @classmethod
    def of(cls, given, settings):
        """Returns what a definition's `protocol` says, completed by the environment's `Settings`."""
        leaves_acl_out = given.get("disableBucketOwnerControlACL") or not given.get("bucket_owner_full_control", True)
        own_role = given.get("assume_role_arn")
        return cls(
            access_key_id=given.get("access_key_id"),
            secret_access_key=given.get("secret_access_key"),
            region=given.get("region_name") or settings.region,
            role_arn=own_role or settings.role_arn,
            role_external_id=given.get("assume_role_external_id") or (None if own_role else settings.role_external_id),
            token_seconds=given.get("token_expiry_seconds", SHORTEST_TOKEN_SECONDS),
            endpoint_url=given.get("endpoint_url"),
            owner_full_control=not leaves_acl_out,
            read_timeout=given.get("botocoreReadTimeout"),
            max_attempts=given.get("max_attempts", 0),
        )

    @property
    def identity(self):
        """What tells one caller from another."""
        return self.access_key_id, self.session_token, self.role_arn, self.role_external_id


@dataclass(frozen=True)
class PostCopy:
    """What becomes of the sources: `delete`, or `move` or `rename` to a place, by a new name if `rename` is set."""

    action: str
    place: Place | None = None
    rename: Rename | None = None


@dataclass(frozen=True)
class S3Options:
    """A source, a destination or a flag file to touch.

    Attributes:
        place: the bucket and the directory.
        pattern: what the names of files match, or None.
        watched: where and what the file watch looks for: a `Place` and a pattern, or None.
        rename: for the names of files that arrive, or None.
        flag: the key of the flag file, or None.
        key: the key to touch, or None.
        post_copy: a `PostCopy`, or None.
    """

    place: Place
    pattern: str | None = None
    watched: tuple[Place, str | None] | None = None
    rename: Rename | None = None
    flag: str | None = None
    key: str | None = None
    post_copy: PostCopy | None = None

    @classmethod
    def of(cls, spec):
        """Returns the options of a definition.

        Raises:
            SettingsError: it has unknown options, or a regular expression is none.
        """
        refuse_unknown(spec, S3_SCHEMAS)
        place = Place(spec["bucket"], spec.get("directory", "").strip("/"))
        watch = spec.get("fileWatch")
        watched = None
        if watch is not None:
            there = watch.get("directory", place.directory).strip("/")
            watched = Place(place.bucket, there), watch.get("fileRegex", spec.get("fileRegex"))
        post_copy = spec.get("postCopyAction", {})
        flags = spec.get("flags") or {}
        _refuse_broken(spec.get("fileRegex"), (watch or {}).get("fileRegex"))
        return cls(
            place=place,
            pattern=spec.get("fileRegex"),
            watched=watched,
            rename=_rename(spec.get("rename")),
            flag=flags.get("fullPath"),
            key=spec.get("key"),
            post_copy=_post_copy(post_copy, place.bucket),
        )

    def search(self, directory, pattern):
        """Returns the place and the pattern to list by.

        Args:
            directory: the one the framework asks for; None or "" where the definition names none.
            pattern: likewise.
        """
        if self.watched and not pattern and not self.pattern:
            # What was watched for is what is meant.
            place, pattern = self.watched
            return (Place(place.bucket, directory) if directory else place), pattern
        place = self.place if directory is None else Place(self.place.bucket, directory.strip("/"))
        return place, pattern or self.pattern


def refuse_unknown(spec, schemas):
    """Refuses options that none of the schemas has.

    Raises:
        SettingsError: one sentence that names every unknown option and the known ones in its place.
    """
    problems = list(_unknown(spec, [_schema(name) for name in schemas], ""))
    if problems:
        raise SettingsError("; ".join(problems))


def _unknown(given, schemas, path):
    known = {}
    for schema in schemas:
        for name, sub_schema in schema.get("properties", {}).items():
            known.setdefault(name, []).append(sub_schema)
    for name, value in given.items():
        if name in known and isinstance(value, dict):
            inner = [_schema(sub["$ref"].rsplit("../", 1)[-1]) if _is_ours(sub) else sub for sub in known[name]]
            if any("properties" in sub for sub in inner):
                yield from _unknown(value, inner, f"{path}{name}.")
        elif name not in known and name not in ADDED:
            yield f"there is no option {path}{name}: there are {', '.join(sorted(known))}"


def _is_ours(schema):
    return "../" in schema.get("$ref", "")


@cache
def _schema(name):
    return json.loads(files(HANDLERS).joinpath("schemas", *name.split("/")).read_text(encoding="utf-8"))


def _post_copy(given, bucket):
    action = given.get("action") or "none"
    if action == "none":
        return None
    if action == "delete":
        return PostCopy(action)
    rename = _rename(given) if action == "rename" else None
    return PostCopy(action, _place(given["destination"], bucket), rename)


def _place(destination, bucket):
    if destination.startswith(S3_URL):
        bucket, _, destination = destination.removeprefix(S3_URL).partition("/")
    return Place(bucket, destination.strip("/"))


def _rename(given):
    if not given:
        return None
    _refuse_broken(given["pattern"])
    rename = Rename(given["pattern"], given["sub"])
    try:
        # A reference to a group that does not exist is noticed only where something is replaced.
        re.compile(f"{rename.pattern}|").sub(rename.sub, "")
    except (re.error, IndexError) as error:
        raise SettingsError(f"{rename.sub!r} cannot take the place of {rename.pattern!r}: {error}") from error
    return rename


def _refuse_broken(*patterns):
    for pattern in filter(None, patterns):
        try:
            re.compile(pattern)
        except re.error as error:
            raise SettingsError(f"{pattern!r} is no regular expression: {error}") from error
