"""Errors in the code, sent to Sentry where a DSN is set. A Sentry that cannot be reached costs a warning and no set."""

import logging
from urllib.parse import urlsplit

from tasks.object_clerk.errors import DeadlineException
from tasks.upload_validate.errors import ReporterError
from tasks.upload_validate.reporters.http import Http
from tasks.upload_validate.settings import fault_of_dsn
from tasks.utils.deadline import Deadline
from tasks.utils.errors import SettingsError
from tasks.utils.retry import RetryPolicy
from tasks.utils.secret_values import Secrets

LOGGER = logging.getLogger("bucket_brigade")

# For all events of an invocation together. Lambda freezes a container as soon as it has answered; what is not sent by
# then would wait for the next invocation.
FLUSH_SECONDS = 2.0


class Sentry:
    """Sends errors, without the values of variables and without known secrets.

    Args:
        dsn: where to, or "" for nowhere.
        secrets: the `Secrets` that are kept out of what is sent.
        **options: further ones of `sentry_sdk.init`.

    Raises:
        SettingsError: the DSN is none; the text repeats nothing of it.
    """

    def __init__(self, dsn, secrets=None, **options):
        self._sdk = None
        self._secrets = secrets or Secrets()
        self._waiting = []
        if dsn:
            # Half a second of a cold start, for those only who use it.
            import sentry_sdk  # pylint: disable=import-outside-toplevel

            options.setdefault("transport", _transport(sentry_sdk, self._waiting.append))
            self._sdk = sentry_sdk
            self._init(dsn, options)

    def tell(self, error):
        """Prepares one error to be sent."""
        if self._sdk:
            self._sdk.capture_exception(error)

    def flush(self):
        """Sends what was prepared, or logs one warning that it could not be sent. Raises nothing."""
        waiting = self._waiting[:]
        self._waiting.clear()
        # Its own transport and not that of Sentry's library, which reads answers without a bound, in a thread.
        http = Http(RetryPolicy(tries=1), Deadline().within(FLUSH_SECONDS), self._secrets, least=0.0)
        try:
            for url, headers, body in waiting:
                http.call("POST", url, headers=headers, data=body, with_body=False)
        except (ReporterError, DeadlineException) as error:
            LOGGER.warning("errors are not reported to Sentry", extra={"reason": str(error), "errors": len(waiting)})

    def _init(self, dsn, options):
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
        # Not in the handler: Sentry's error repeats a part of the DSN.
        raise SettingsError(fault)


def _transport(sdk, keep):
    """Returns a transport of Sentry's library that keeps what is to be sent: address, headers and body."""

    class Transport(sdk.transport.Transport):  # pylint: disable=too-few-public-methods  # Sentry's interface
        """Keeps envelopes until they are sent."""

        def capture_envelope(self, envelope):
            """Keeps one."""
            auth = self.parsed_dsn.to_auth()
            headers = {"X-Sentry-Auth": auth.to_header(), "Content-Type": "application/x-sentry-envelope"}
            keep((auth.get_api_url(sdk.consts.EndpointType.ENVELOPE), headers, envelope.serialize()))

    return Transport


def _hidden(value, secrets):
    """Returns what is to be sent, made of dicts, lists and texts, without secrets."""
    if isinstance(value, str):
        return secrets.hide(value)
    if isinstance(value, dict):
        return {name: _hidden(one, secrets) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden(one, secrets) for one in value]
    return value
