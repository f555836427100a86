"""Those who tell people and other systems: the only modules that speak HTTP, SES or to Sentry."""
