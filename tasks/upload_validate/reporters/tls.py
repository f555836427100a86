"""Errors of TLS, which come while a connection is made and also much later."""

import ssl

# Reasons that OpenSSL gives while a connection is made, by which time nothing of a request is sent.
HANDSHAKE = frozenset(
    {
        "CERTIFICATE_VERIFY_FAILED",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "TLSV1_UNRECOGNIZED_NAME",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_VERSION_NUMBER",
    }
)


def failed_in_handshake(error):
    """Returns whether an error comes of one of TLS that says that nothing was sent.

    Args:
        error: an exception of requests or botocore, as it was caught.
    """
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error.reason in HANDSHAKE
        error = error.__context__
    return False
