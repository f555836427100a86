"""The options of a task's definition, after the framework has checked it against its JSON schema.

The schemas accept unknown options in a destination, because the framework's message about a wrong destination names no
option and shows the whole definition, keys included. So this module refuses them, by name.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

from tasks.otf_addons.plan import Place, Rename
from tasks.otf_addons.settings import Settings
from tasks.utils.errors import SettingsError

HANDLERS = "opentaskpy.addons.aws.remotehandlers"
# A handler cannot know which of these schemas its definition has.
S3_SCHEMAS = ("transfer/s3_source.json", "transfer/s3_destination.json", "execution/s3/s3.json")
LAMBDA_SCHEMAS = ("execution/lambda/lambda.json",)
# The framework adds it to each definition.
ADDED = {"task_id"}

S3_URL = "s3://"
# The shortest life of a role's credentials that STS allows, and the default.
SHORTEST_TOKEN_SECONDS = 900


@dataclass(frozen=True)
class Keys:
    """The keys of a user, or of a session. Without them, the environment's or the machine's credentials are used.

    Attributes:
        access_key_id: the id.
        secret_access_key: the secret for it.
        session_token: the token for both, if they are temporary.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id})"


@dataclass(frozen=True)
class Role:
    """A role to assume.

    Attributes:
        arn: its ARN.
        external_id: the external id that the role's owner expects.
        token_seconds: how long its credentials last.
    """

    arn: str
    external_id: str | None = None
    token_seconds: int = SHORTEST_TOKEN_SECONDS


@dataclass(frozen=True)
class Protocol:
    """Credentials and servers. The environment or the machine decides what is None.

    Attributes:
        keys: the credentials.
        role: a role to assume with them, or None.
        region: the region's name.
        endpoint_url: the address of a server that is not AWS's.
        owner_full_control: objects belong to the owner of the bucket.
        read_timeout: seconds to wait for the answer of a function.
        max_attempts: how often an invocation is tried again.
    """

    keys: Keys = Keys()
    role: Role | None = None
    region: str | None = None
    endpoint_url: str | None = None
    owner_full_control: bool = True
    read_timeout: int | None = None
    max_attempts: int = 0

    def __repr__(self) -> str:
        return f"Protocol({self.keys.access_key_id or (self.role and self.role.arn) or 'the environment'})"

    @classmethod
    def from_definition(cls, given: Mapping[str, Any], settings: Settings) -> Self:
        """Return the options of a definition's `protocol`, with the defaults of the environment."""
        leaves_acl_out = given.get("disableBucketOwnerControlACL") or not given.get("bucket_owner_full_control", True)
        return cls(
            keys=Keys(given.get("access_key_id"), given.get("secret_access_key")),
            role=_role(given, settings),
            region=given.get("region_name") or settings.region,
            endpoint_url=given.get("endpoint_url"),
            owner_full_control=not leaves_acl_out,
            read_timeout=given.get("botocoreReadTimeout"),
            max_attempts=given.get("max_attempts", 0),
        )

    @property
    def identity(self) -> tuple[str | None, ...]:
        """The values in which the protocols of two callers differ."""
        role = (self.role.arn, self.role.external_id) if self.role else (None, None)
        return self.keys.access_key_id, self.keys.session_token, *role


def _role(given: Mapping[str, Any], settings: Settings) -> Role | None:
    own_role = given.get("assume_role_arn")
    arn = own_role or settings.role_arn
    external_id = given.get("assume_role_external_id") or (None if own_role else settings.role_external_id)
    return Role(arn, external_id, given.get("token_expiry_seconds", SHORTEST_TOKEN_SECONDS)) if arn else None


@dataclass(frozen=True)
class PostCopy:
    """What happens to the sources after their copy.

    Attributes:
        action: `delete`, `move` or `rename`.
        place: the target of a move or a rename.
        rename: changes the names, or None.
    """

    action: str
    place: Place | None = None
    rename: Rename | None = None


@dataclass(frozen=True)
class S3Options:
    """The options of a source, a destination or a file to touch.

    Attributes:
        place: the bucket and the directory.
        pattern: a regular expression for the names of files, or None.
        watched: the place and the pattern of the file watch, or None.
        rename: changes the names at the destination, or None.
        flag: the key of the flag file, or None.
        key: the key to touch, or None.
        post_copy: what happens to the sources after their copy, or None.
    """

    place: Place
    pattern: str | None = None
    watched: tuple[Place, str | None] | None = None
    rename: Rename | None = None
    flag: str | None = None
    key: str | None = None
    post_copy: PostCopy | None = None

    @classmethod
    def from_definition(cls, spec: Mapping[str, Any]) -> Self:
        """Return the options of a definition.

        Raises:
            SettingsError: it has unknown options or a wrong regular expression.
        """
        refuse_unknown(spec, S3_SCHEMAS)
        place = Place(spec["bucket"], spec.get("directory", "").strip("/"))
        pattern = spec.get("fileRegex")
        _refuse_broken(pattern)
        return cls(
            place=place,
            pattern=pattern,
            watched=_watched(spec.get("fileWatch"), place, pattern),
            rename=_rename(spec.get("rename")),
            flag=(spec.get("flags") or {}).get("fullPath"),
            key=spec.get("key"),
            post_copy=_post_copy(spec.get("postCopyAction", {}), place.bucket),
        )

    def search(self, directory: str | None, pattern: str | None) -> tuple[Place, str | None]:
        """Return the place and the pattern of a listing.

        Args:
            directory: the directory that the framework passes; None or "" if the definition names none.
            pattern: the pattern that the framework passes, likewise.
        """
        if self.watched and not pattern and not self.pattern:
            # Without a pattern of its own, the transfer takes the files of the watch.
            place, pattern = self.watched
            return (Place(place.bucket, directory) if directory else place), pattern
        place = self.place if directory is None else Place(self.place.bucket, directory.strip("/"))
        return place, pattern or self.pattern


def refuse_unknown(spec: Mapping[str, Any], schemas: Iterable[str]) -> None:
    """Refuse options that none of the schemas has.

    Raises:
        SettingsError: one sentence that names each unknown option and the known ones in its place.
    """
    problems = list(_unknown(spec, [_schema(name) for name in schemas], ""))
    if problems:
        raise SettingsError("; ".join(problems))


def _unknown(given: Mapping[str, Any], schemas: Sequence[Mapping[str, Any]], path: str) -> Iterator[str]:
    known: dict[str, list[Mapping[str, Any]]] = {}
    for schema in schemas:
        for name, sub_schema in schema.get("properties", {}).items():
            known.setdefault(name, []).append(sub_schema)
    for name, value in given.items():
        if name in known and isinstance(value, dict):
            inner = [_schema(_path(sub)) if _path(sub) else sub for sub in known[name]]
            if any("properties" in sub for sub in inner):
                yield from _unknown(value, inner, f"{path}{name}.")
        elif name not in known and name not in ADDED:
            yield f"there is no option {path}{name}: there are {', '.join(sorted(known))}"


def _path(schema: Mapping[str, Any]) -> str:
    """Return the path of the file that a schema refers to, or "" if it is not one of the add-on's."""
    _, found, path = schema.get("$ref", "").rpartition("../")
    return path if found else ""


@cache
def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(
        files(HANDLERS).joinpath("schemas", *name.split("/")).read_text(encoding="utf-8")
    )
    return schema


def _watched(watch: Mapping[str, Any] | None, place: Place, pattern: str | None) -> tuple[Place, str | None] | None:
    if watch is None:
        return None
    _refuse_broken(watch.get("fileRegex"))
    directory = watch.get("directory", place.directory).strip("/")
    return Place(place.bucket, directory), watch.get("fileRegex", pattern)


def _post_copy(given: Mapping[str, Any], bucket: str) -> PostCopy | None:
    action = given.get("action") or "none"
    if action == "none":
        return None
    if action == "delete":
        return PostCopy(action)
    rename = _rename(given) if action == "rename" else None
    return PostCopy(action, _place(given["destination"], bucket), rename)


def _place(destination: str, bucket: str) -> Place:
    if destination.startswith(S3_URL):
        bucket, _, destination = destination.removeprefix(S3_URL).partition("/")
    return Place(bucket, destination.strip("/"))


def _rename(given: Mapping[str, Any] | None) -> Rename | None:
    if not given:
        return None
    _refuse_broken(given["pattern"])
    rename = Rename(given["pattern"], given["sub"])
    try:
        # Python notices a reference to a missing group only when it replaces a match; "|" makes "" a match.
        re.compile(f"{rename.pattern}|").sub(rename.sub, "")
    except (re.error, IndexError) as error:
        raise SettingsError(f"{rename.sub!r} cannot take the place of {rename.pattern!r}: {error}") from error
    return rename


def _refuse_broken(*patterns: str | None) -> None:
    for pattern in filter(None, patterns):
        try:
            re.compile(pattern)
        except re.error as error:
            raise SettingsError(f"{pattern!r} is no regular expression: {error}") from error
