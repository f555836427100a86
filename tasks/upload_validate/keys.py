"""The keys of outside services: given as they are, or as the name of an entry that holds them.

A name is `/path` or `ssm:name` for SSM's Parameter Store, `secretsmanager:name` or `secretsmanager:name#field` for
Secrets Manager, or the ARN of either. Powertools keeps what it read for five minutes. Each key is checked before it is
used: the error says where the key is and what is wrong with it, and repeats nothing of it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from tasks.upload_validate.errors import KeyUnavailableError
from tasks.utils.secret_values import Secrets, fault_of_key

KEPT_SECONDS = 300
SSM, SECRETS = "ssm:", "secretsmanager:"


class KeyRing:  # pylint: disable=too-few-public-methods  # one is all that its users need
    """Reads keys.

    Args:
        ssm: returns a boto3 SSM client.
        secrets: returns a boto3 Secrets Manager client.

    Attributes:
        known: the `Secrets` that were read.
    """

    def __init__(self, ssm, secrets):
        self.known = Secrets()
        self._clients = {SSM: ssm, SECRETS: secrets}
        self._providers = {}

    def key(self, given):
        """Returns the `Key` for what a setting holds, or None where it holds nothing."""
        return Key(given, self._read) if given else None

    def _read(self, given, refresh):
        service, name = _service_and_name(given)
        key = self._entry(given, service, name, refresh) if service else given
        key = key.strip() if isinstance(key, str) else key
        fault = fault_of_key(key)
        if fault:
            raise KeyUnavailableError(f"the key in the entry {given} {fault}" if service else f"a key {fault}")
        self.known.add(key)
        return key

    def _entry(self, given, service, name, refresh):
        name, _, field_name = name.partition("#")
        options = {"decrypt": True} if service == SSM else {}
        try:
            value = self._provider(service).get(name, max_age=KEPT_SECONDS, force_fetch=refresh, **options)
        except GetParameterError as error:
            # Its text is what AWS said, which names the entry and not its value.
            raise KeyUnavailableError(f"the entry {given} cannot be read: {error}") from error
        return _field(given, value, field_name) if field_name else value

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
            refresh: read it again, because the one that is remembered was refused.

        Raises:
            KeyUnavailableError: its entry cannot be read, or holds what cannot be a key.
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


def _field(given, value, field_name):
    try:
        return json.loads(value)[field_name]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    # Not in the handler: JSON's error holds the whole text, and would be this one's context.
    raise KeyUnavailableError(f"the entry {given} is no JSON object with that field")
