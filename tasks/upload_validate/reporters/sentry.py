"""Errors in the code, sent to Sentry if a DSN is set. An unreachable Sentry costs a warning and holds up no set."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tasks.object_clerk.errors import DeadlineException
from tasks.upload_validate.errors import ReporterError
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.settings import fault_of_dsn
from tasks.utils.deadline import Deadline
from tasks.utils.errors import SettingsError
from tasks.utils.retry import RetryPolicy
from tasks.utils.secret_values import Secrets

LOGGER = logging.getLogger("bucket_brigade")

# For all errors of an invocation together. Lambda freezes a container after its answer, so errors that are not sent
# before would wait for the next invocation.
FLUSH_SECONDS = 2.0


class Sentry:
    """Sends errors without the values of variables and without known secrets.

    Args:
        dsn: the DSN, or "" to send nothing.
        secrets: the `Secrets` that are removed from each error.
        **options: more options of `sentry_sdk.init`.

    Raises:
        SettingsError: the DSN has a wrong form; the text repeats nothing of it.
    """

    def __init__(self, dsn: str, secrets: Secrets | None = None, **options: Any) -> None:
        self._sdk: Any = None
        self._secrets = secrets or Secrets()
        self._waiting: list[tuple[str, dict[str, str], bytes]] = []
        if dsn:
            # The import takes half a second of a cold start, so only deployments with a DSN pay for it.
            import sentry_sdk  # pylint: disable=import-outside-toplevel  # see above

            options.setdefault("transport", _transport(sentry_sdk, self._waiting.append))
            self._sdk = sentry_sdk
            self._init(dsn, options)

    def capture(self, error: Exception) -> None:
        """Prepare an error to be sent."""
        if self._sdk:
            self._sdk.capture_exception(error)

    def flush(self) -> None:
        """Send the prepared errors, or log one warning that they could not be sent. Raise nothing."""
        waiting = self._waiting[:]
        self._waiting.clear()
        # Sentry's own transport reads responses without a bound, in a thread.
        http = HttpClient(RetryPolicy(tries=1), Deadline().within(FLUSH_SECONDS), self._secrets, least=0.0)
        try:
            for url, headers, body in waiting:
                http.call("POST", url, headers=headers, data=body, with_body=False)
        except (ReporterError, DeadlineException) as error:
            LOGGER.warning("errors are not reported to Sentry", extra={"reason": str(error), "errors": len(waiting)})

    def _init(self, dsn: str, options: dict[str, Any]) -> None:
        fault = fault_of_dsn(dsn)
        if not fault:
            parts = urlsplit(dsn)
            self._secrets.add(dsn, parts.username, parts.password)
            try:
                self._sdk.init(
                    dsn=dsn,
                    default_integrations=False,
                    auto_enabling_integrations=False,
                    include_local_variables=False,
                    before_send=lambda event, _: _hidden(event, self._secrets),
                    **options,
                )
                return
            except self._sdk.utils.BadDsn:
                fault = "SENTRY_DSN names no key or no project: it should be like https://key@example.org/1"
        # Raised outside of the handler: Sentry's error repeats a part of the DSN.
        raise SettingsError(fault)


def _transport(sdk: Any, keep: Callable[[tuple[str, dict[str, str], bytes]], None]) -> type:
    """Return a transport for Sentry's library that calls `keep` with address, headers and body instead of sending."""

    # pylint: disable-next=too-few-public-methods  # Sentry's interface has one method that sends
    class Transport(sdk.transport.Transport):  # type: ignore[misc]  # the library is imported only if there is a DSN
        """Keeps envelopes until they are sent."""

        def capture_envelope(self, envelope: Any) -> None:
            """Keep an envelope."""
            auth = self.parsed_dsn.to_auth()
            headers = {"X-Sentry-Auth": auth.to_header(), "Content-Type": "application/x-sentry-envelope"}
            keep((auth.get_api_url(sdk.consts.EndpointType.ENVELOPE), headers, envelope.serialize()))

    return Transport


def _hidden(value: Any, secrets: Secrets) -> Any:
    """Return an event, which consists of dicts, lists and texts, without secrets."""
    if isinstance(value, str):
        return secrets.hide(value)
    if isinstance(value, dict):
        return {name: _hidden(item, secrets) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden(item, secrets) for item in value]
    return value
