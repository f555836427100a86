"""The destination's credentials: from Secrets Manager, read again when the destination refuses them, never written."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tasks.partition_replicate.errors import CredentialsRefused, SecretError

# How S3 says that it does not know the keys any more. The answer to a HEAD has no body, so all it says is 403.
REFUSALS = frozenset({"403", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"})


@dataclass(frozen=True)
class Credentials:
    """The keys of a user in the other partition; they do not print."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


class Destination:
    """The client for the destination, made anew when its credentials change.

    Args:
        secrets: a boto3 Secrets Manager client.
        secret: name or ARN of a secret whose JSON has `accesskey` and `secretaccesskey`.
        make_client: takes `Credentials` and returns a boto3 S3 client.
    """

    def __init__(self, secrets: Any, secret: str, make_client: Callable):
        self._secrets = secrets
        self._secret = secret
        self._make_client = make_client
        self._lock = threading.Lock()
        self._credentials = None
        self._client = None

    def client(self):
        """Returns the client, made at the first call.

        Raises:
            SecretError: the secret cannot be read.
        """
        with self._lock:
            if self._client is None:
                self._take(self._read())
            return self._client

    def renewed(self, refused):
        """Returns a client with the credentials as they are now, after the destination has refused those of another.

        Raises:
            CredentialsRefused: the secret still has the same.
            SecretError: the secret cannot be read.
        """
        with self._lock:
            if self._client is refused:
                current = self._read()
                if current == self._credentials:
                    raise CredentialsRefused(
                        f"the destination refuses the credentials in the secret {self._secret}: put valid ones there"
                    )
                self._take(current)
            return self._client

    def _take(self, credentials):
        self._client, self._credentials = self._make_client(credentials), credentials

    def _read(self):
        try:
            answer = self._secrets.get_secret_value(SecretId=self._secret)
        except (ClientError, BotoCoreError) as error:
            raise SecretError(f"the secret {self._secret} cannot be read: {error}") from error
        try:
            values = json.loads(answer.get("SecretString") or "")
            return Credentials(values["accesskey"].strip(), values["secretaccesskey"].strip())
        except (ValueError, TypeError, KeyError, AttributeError):
            # What was read is not told, nor what it was tripped over: both may hold the keys.
            raise SecretError(
                f'the secret {self._secret} should be JSON like {{"accesskey": "...", "secretaccesskey": "..."}}'
            ) from None
