"""The credentials for a mirror's destination: those of a role for an hour, or those of a user; never logged or stored.

On AWS a role is assumed across partitions: STS of the source's partition signs a token that names the function, and
STS of the destination's partition gives temporary credentials for it (IAM User Guide, "Federating AWS identities across
AWS partitions"). An S3-compatible store has users, whose keys are in Secrets Manager.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tasks.utils.errors import BucketBrigadeError, CredentialsRefused, FederationError, SecretError, TokenRefused
from tasks.utils.mirror_settings import DestinationSettings
from tasks.utils.secret_values import Secrets, fault_of_characters

# The codes by which S3 refuses keys that are no longer valid. The answer to a HEAD has no body, so its code is the
# status: 400 for a session that ended, 403 for other keys.
REFUSALS = frozenset({"400", "403", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"})

# Refusals after which another token may pass: this one took too long, or its key was new to the other side.
TOKEN_REFUSALS = frozenset({"ExpiredToken", "ExpiredTokenException", "IDPRejectedClaim", "InvalidIdentityToken"})

# AWS's own default, since the token is exchanged at once. The function's role may request no longer lifetime.
TOKEN_SECONDS = 300

# The shorter signature of the two that STS has. The function's role may request no other.
SIGNING_ALGORITHM = "ES384"

# The errors of a request to STS.
FAILURES = (ClientError, BotoCoreError, ResponseParserError)

# The name of the sessions in CloudTrail of the destination's account; the role's name says of which task.
SESSION_NAME = "bucket-brigade"

# An invocation lasts 15 minutes at most, so the credentials at its beginning outlast it. The rest is for clocks that
# differ.
RENEW_BEFORE_SECONDS = 20 * 60

# The fields of a user's secret.
KEY_NAMES = ("accesskey", "secretaccesskey")

# Seconds between two attempts to get new credentials while the old ones last.
RETRY_SECONDS = 60

# Credentials younger than this are refused for another reason than their age, such as a policy of the bucket.
NEW_SECONDS = 60

# A token or the beginning of one: texts in base64, the first of which begins with `{"`.
TOKEN = re.compile(r"eyJ[\w.+/=-]*")


@dataclass(frozen=True)
class Credentials:
    """Keys in the other partition; they do not print.

    Attributes:
        access_key: the access key ID.
        secret_key: the secret access key.
        session_token: the token beside them, or None for those of a user.
        expires_at: when they end, in seconds since 1970.
    """

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float = math.inf

    @property
    def options(self) -> dict[str, str | None]:
        """The credentials as options of a client."""
        return {
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_session_token": self.session_token,
        }


def of_user(secrets: Any, secret: str) -> Credentials:
    """Read the keys of a user from Secrets Manager.

    Args:
        secrets: a boto3 Secrets Manager client.
        secret: name or ARN of a secret whose JSON has `accesskey` and `secretaccesskey`.

    Raises:
        SecretError: the secret cannot be read, or is not what it should be.
    """
    try:
        answer = secrets.get_secret_value(SecretId=secret)
    except (ClientError, BotoCoreError) as error:
        raise SecretError(f"the secret {secret} cannot be read: {error}") from error
    keys = _keys_in(answer.get("SecretString") or "")
    if keys is None:
        raise SecretError(f'the secret {secret} should be JSON like {{"accesskey": "...", "secretaccesskey": "..."}}')
    for name, key in zip(KEY_NAMES, keys, strict=True):
        fault = fault_of_characters(key)
        if fault:
            raise SecretError(f"the {name} in the secret {secret} {fault}")
    access_key, secret_key = keys
    return Credentials(access_key, secret_key)


def _keys_in(text: str) -> list[str] | None:
    """Return the keys in the text of a secret, or None if it has another shape; no error repeats the text."""
    try:
        values = json.loads(text)
        return [values[name].strip() for name in KEY_NAMES]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def of_role(source: Any, destination: Any, *, role_arn: str, audience: str) -> Credentials:
    """Return credentials of a role in the destination's partition, for an hour.

    A refused token is replaced once.

    Args:
        source: a botocore STS client of the function's region, with the function's credentials.
        destination: a botocore STS client of the destination's region: no endpoint of STS serves two partitions.
        role_arn: the role.
        audience: the only audience of the token, which the OpenID Connect provider and the role have to name.

    Raises:
        FederationError: STS gives no token, or no credentials for it.
    """
    try:
        return _assumed(destination, role_arn, _token(source, audience))
    except TokenRefused:
        return _assumed(destination, role_arn, _token(source, audience))


def _token(sts: Any, audience: str) -> str:
    asked = {"Audience": [audience], "SigningAlgorithm": SIGNING_ALGORITHM, "DurationSeconds": TOKEN_SECONDS}
    try:
        token: str = sts.get_web_identity_token(**asked)["WebIdentityToken"]
        return token
    except FAILURES as error:
        said = _said(error)
    # Raised outside the handler, as below: STS's error may hold the token, and would be the context of this one.
    raise FederationError(
        f"STS gives no token for the audience {audience} ({said}): check that outbound identity federation "
        "is enabled in the function's account (aws iam enable-outbound-web-identity-federation), and that the "
        "function's role has sts:GetWebIdentityToken for this audience"
    )


def _assumed(sts: Any, role_arn: str, token: str) -> Credentials:
    asked = {"RoleArn": role_arn, "RoleSessionName": SESSION_NAME, "WebIdentityToken": token}
    try:
        # botocore does not sign this request: the token identifies the caller.
        made = sts.assume_role_with_web_identity(**asked)["Credentials"]
        expires_at = made["Expiration"].timestamp()
        return Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], expires_at)
    except FAILURES as error:
        kind = TokenRefused if _code(error) in TOKEN_REFUSALS else FederationError
        said, claims = _said(error, token), _claims(token)
    raise kind(
        f"the role {role_arn} cannot be assumed ({said}): check in its account that an OpenID Connect "
        f"provider has the issuer URL {claims.get('iss')} and the audience {claims.get('aud')}, and that the role "
        f"trusts this provider for that audience and the subject {claims.get('sub')}"
    )


def _claims(token: str) -> dict[str, Any]:
    """Return the claims of a token. They are no secret, its signature is."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _code(error: Exception) -> str:
    return error.response["Error"].get("Code", "") if isinstance(error, ClientError) else ""


def _said(error: Exception, token: str = "") -> str:
    """Return the text of an error without the token, which STS may repeat with the parameters of a request."""
    if isinstance(error, ResponseParserError):
        # Its text is the answer, which may hold credentials.
        return "an answer that cannot be read"
    said = f"{_code(error)}: {error.response['Error'].get('Message')}" if isinstance(error, ClientError) else str(error)
    known = Secrets()
    known.add(token)
    return TOKEN.sub("(token)", known.hide(said))


@dataclass(frozen=True)
class _Connection:
    """A client, its credentials, and the times at which they were read and are to be read again."""

    client: Any
    credentials: Credentials
    read_at: float
    renew_at: float


class Destination:
    """The client for the destination, which is replaced together with its credentials.

    Args:
        read: returns the credentials as they are now.
        make_client: makes an S3 client with credentials.
        advice: what to check if the destination refuses the credentials and there are no others, as a sentence.
        clock: the time in seconds since 1970.
    """

    def __init__(
        self,
        read: Callable[[], Credentials],
        make_client: Callable[[Credentials], Any],
        *,
        advice: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._read = read
        self._make_client = make_client
        self._advice = advice
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._failure: BucketBrigadeError | None = None

    def client(self) -> Any:
        """Return a client whose credentials outlast an invocation, or the last client if no newer ones are available.

        Raises:
            FederationError: STS gives no credentials.
            SecretError: the secret cannot be read.
        """
        seen = self._failure
        with self._lock:
            current, now = self._connection, self._clock()
            if current is not None and now < current.renew_at:
                return current.client
            try:
                return self._renew(seen).client
            except BucketBrigadeError:
                if current is None or now >= current.credentials.expires_at:
                    raise
            self._connection = replace(current, renew_at=now + RETRY_SECONDS)
            return current.client

    def renewed(self, refused: Any) -> Any:
        """Return a client with the present credentials, after the destination refused those of another client.

        Raises:
            CredentialsRefused: there are no others.
            FederationError: STS gives none.
            SecretError: the secret cannot be read.
        """
        seen = self._failure
        with self._lock:
            before = self._connection
            if before is None:
                return self._renew(seen).client
            if before.client is not refused:
                return before.client
            is_temporary = before.credentials.expires_at < math.inf
            if is_temporary and self._clock() - before.read_at < NEW_SECONDS:
                raise CredentialsRefused(self._advice)
            after = self._renew(seen)
            if after is before:
                raise CredentialsRefused(self._advice)
            return after.client

    def _renew(self, seen: BucketBrigadeError | None) -> _Connection:
        """Read the credentials. A thread that waited while another one failed to read them fails too."""
        if self._failure is not None and self._failure is not seen:
            raise type(self._failure)(str(self._failure))
        try:
            credentials = self._read()
        except BucketBrigadeError as error:
            self._failure = error
            raise
        self._failure = None
        if self._connection is None or self._connection.credentials != credentials:
            renew_at = credentials.expires_at - RENEW_BEFORE_SECONDS
            self._connection = _Connection(self._make_client(credentials), credentials, self._clock(), renew_at)
        return self._connection


def destination_of(
    place: DestinationSettings,
    *,
    owner: str | None,
    client: Callable[..., Any],
    make_s3: Callable[[Credentials], Any],
) -> Destination:
    """Return the destination that settings describe.

    Args:
        place: the settings.
        owner: the account that its bucket must belong to, or None if nothing is expected of it.
        client: makes a client of a service, as `transport.clients.client` does.
        make_s3: makes the client of the destination with credentials.
    """
    read, advice = _of_secret(place, client) if place.secret else _of_role(place, client)
    # S3 refuses a bucket of another account in the same way as wrong credentials: the answer to a HEAD says no more.
    and_owner = f", and that the bucket {place.bucket} belongs to account {owner}" if owner else ""
    return Destination(read, make_s3, advice=f"{advice}{and_owner}")


def _of_secret(place: DestinationSettings, client: Callable[..., Any]) -> tuple[Callable[[], Credentials], str]:
    """Return what reads a user's credentials, and what to check when the destination refuses them."""
    secrets = client("secretsmanager")
    advice = f"the destination refuses the credentials in the secret {place.secret}: check that they are valid"
    return lambda: of_user(secrets, place.secret), advice


def _of_role(place: DestinationSettings, client: Callable[..., Any]) -> tuple[Callable[[], Credentials], str]:
    """Return what assumes the role, and what to check when the destination refuses its credentials."""

    def assume_role() -> Credentials:
        # Neither client is kept: by the next time, most of an hour later, its connection is closed.
        remote = client("sts", region_name=place.region)
        with closing(client("sts")) as local, closing(remote):
            return of_role(local, remote, role_arn=place.role_arn, audience=place.token_audience)

    advice = (
        f"the destination refuses new credentials of the role {place.role_arn}: check what the role's policy "
        "and the policies of the bucket and its key allow"
    )
    return assume_role, advice
