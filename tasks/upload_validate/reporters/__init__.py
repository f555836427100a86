"""The reporters: the only modules that call outside services over HTTP, through SES or through Sentry."""
