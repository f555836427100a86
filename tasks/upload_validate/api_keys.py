"""API keys and secret addresses: given as they are, or as the name of the entry that holds them.

A name is `/path` or `ssm:name` for SSM's Parameter Store, `secretsmanager:name` or `secretsmanager:name#field` for
Secrets Manager, or the ARN of either. Powertools caches an entry for five minutes. Each key is checked before it is
used. An error says where the key is and what is wrong with it, and repeats nothing of it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from tasks.upload_validate.errors import KeyUnavailableError
from tasks.utils.secret_values import Secrets, fault_of_key

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

CACHE_SECONDS = 300
SSM, SECRETS = "ssm:", "secretsmanager:"


@dataclass(frozen=True)
class Key:
    """A key, or the name of its entry. Its value is never shown."""

    given: str = field(repr=False)
    read: Callable[[str, bool], str] = field(repr=False)

    def value(self, *, refresh: bool = False) -> str:
        """Return the key itself.

        Args:
            refresh: whether to read the entry again, because a service refused the cached key.

        Raises:
            KeyUnavailableError: the entry cannot be read, or holds no usable key.
        """
        return self.read(self.given, refresh)


class KeyRing:
    """Reads keys.

    Args:
        ssm: returns a boto3 SSM client.
        secrets: returns a boto3 Secrets Manager client.

    Attributes:
        known: the `Secrets` that were read.
    """

    def __init__(self, ssm: Callable[[], "SSMClient"], secrets: Callable[[], "SecretsManagerClient"]) -> None:
        self.known = Secrets()
        self._clients: dict[str, Callable[[], Any]] = {SSM: ssm, SECRETS: secrets}
        self._providers: dict[str, SSMProvider | SecretsProvider] = {}

    def key(self, given: str) -> Key | None:
        """Return the `Key` of a setting, or None if the setting is empty."""
        return Key(given, self._read) if given else None

    def address(self, given: str) -> str | Key:
        """Return the address in a setting, or the `Key` that holds it."""
        return Key(given, self._read) if _service_and_name(given)[0] else given

    def _read(self, given: str, refresh: bool) -> str:
        service, name = _service_and_name(given)
        key = self._entry(given, service, name, refresh) if service else given
        key = key.strip() if isinstance(key, str) else key
        fault = fault_of_key(key)
        if fault:
            raise KeyUnavailableError(f"the key in the entry {given} {fault}" if service else f"a key {fault}")
        self.known.add(key)
        return str(key)

    def _entry(self, given: str, service: str, name: str, refresh: bool) -> Any:
        name, _, field_name = name.partition("#")
        options: dict[str, Any] = {"decrypt": True} if service == SSM else {}
        try:
            value = self._provider(service).get(name, max_age=CACHE_SECONDS, force_fetch=refresh, **options)
        except GetParameterError as error:
            # AWS's text names the entry and not its value.
            raise KeyUnavailableError(f"the entry {given} cannot be read: {error}") from error
        return _field(given, value, field_name) if field_name else value

    def _provider(self, service: str) -> SSMProvider | SecretsProvider:
        if service not in self._providers:
            kind = SSMProvider if service == SSM else SecretsProvider
            self._providers[service] = kind(boto3_client=self._clients[service]())
        return self._providers[service]


def _service_and_name(given: str) -> tuple[str, str]:
    if given.startswith("/"):
        return SSM, given
    for service in (SSM, SECRETS):
        if given.startswith(service):
            return service, given.removeprefix(service)
        if given.startswith("arn:") and given.split(":")[2:3] == [service[:-1]]:
            return service, given
    return "", given


def _field(given: str, value: Any, field_name: str) -> Any:
    try:
        return json.loads(value)[field_name]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    # Raised outside of the handler: the context of this error would be JSON's, which holds the whole text.
    raise KeyUnavailableError(f"the entry {given} is no JSON object with that field")
