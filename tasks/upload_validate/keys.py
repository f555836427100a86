"""The keys of outside services: given as they are, or as the name of an entry that holds them.

A name is `/path` or `ssm:name` for SSM's Parameter Store, `secretsmanager:name` or `secretsmanager:name#field` for
Secrets Manager, or the ARN of either. Powertools keeps what it read for five minutes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from tasks.upload_validate.errors import KeyUnavailableError

KEPT_SECONDS = 300
SSM, SECRETS = "ssm:", "secretsmanager:"


class KeyRing:  # pylint: disable=too-few-public-methods
    """Reads keys.

    Args:
        ssm: returns a boto3 SSM client.
        secrets: returns a boto3 Secrets Manager client.
    """

    def __init__(self, ssm, secrets):
        self._clients = {SSM: ssm, SECRETS: secrets}
        self._providers = {}

    def key(self, given):
        """Returns the `Key` for what a setting holds, or None where it holds nothing."""
        return Key(given, self._read) if given else None

    def _read(self, given, refresh):
        service, name = _service_and_name(given)
        if not service:
            return given
        name, _, part = name.partition("#")
        try:
            value = self._provider(service).get(
                name, max_age=KEPT_SECONDS, force_fetch=refresh, **({"decrypt": True} if service == SSM else {})
            )
        except GetParameterError as error:
            # Its text tells what AWS said, which names the entry and not its value.
            raise KeyUnavailableError(f"the entry {given} cannot be read: {error}") from error
        return _part(given, value, part).strip()

    def _provider(self, service):
        if service not in self._providers:
            kind = SSMProvider if service == SSM else SecretsProvider
            self._providers[service] = kind(boto3_client=self._clients[service]())
        return self._providers[service]


@dataclass(frozen=True)
class Key:
    """A key, or where it is kept. Its value is never shown."""

    given: str = field(repr=False)
    read: Callable[[str, bool], Any] = field(repr=False)

    def value(self, *, refresh=False):
        """Returns the key itself.

        Args:
            refresh: read it anew, because the one that is remembered was refused.

        Raises:
            KeyUnavailableError: its entry cannot be read.
        """
        return self.read(self.given, refresh)


def _service_and_name(given):
    if given.startswith("/"):
        return SSM, given
    for service in (SSM, SECRETS):
        if given.startswith(service):
            return service, given.removeprefix(service)
        if given.startswith("arn:") and given.split(":")[2:3] == [service[:-1]]:
            return service, given
    return "", given


def _part(given, value, part):
    if not part:
        return value
    try:
        return json.loads(value)[part]
    except (ValueError, KeyError, TypeError):
        raise KeyUnavailableError(f"the entry {given} is no JSON object with that field") from None
