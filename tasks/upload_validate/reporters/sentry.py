"""Errors told to Sentry, where a DSN is set."""

# Lambda freezes a container as soon as it has answered; what is not sent by then waits for the next invocation.
FLUSH_SECONDS = 2


class Sentry:
    """Tells errors, without the values of variables, which may be keys.

    Args:
        dsn: where to, or "" for nowhere.
        **options: further ones of `sentry_sdk.init`.
    """

    def __init__(self, dsn, **options):
        self._sdk = None
        if dsn:
            # Half a second of a cold start, for those only who use it.
            import sentry_sdk  # pylint: disable=import-outside-toplevel

            sentry_sdk.init(
                dsn=dsn,
                default_integrations=False,
                auto_enabling_integrations=False,
                include_local_variables=False,
                **options,
            )
            self._sdk = sentry_sdk

    def tell(self, error):
        """Sends one error."""
        if self._sdk:
            self._sdk.capture_exception(error)

    def flush(self):
        """Waits until what was told has been sent."""
        if self._sdk:
            self._sdk.flush(timeout=FLUSH_SECONDS)
