"""All output of a function during a test: log lines, requests to AWS and to other services, errors."""

import base64
import email
import email.policy
import gzip
import io
import traceback
from contextlib import redirect_stderr, redirect_stdout
from urllib.parse import parse_qs, unquote_plus

from tasks.utils.outcome_log import OutcomeLog
from tests.secrets.search import canary

# Headers of every request to AWS that hold credentials; no service keeps them.
WHO_ASKS = {"authorization", "x-amz-security-token"}
# The path of Sentry's events, and the key in its address.
SENTRY, DSN_KEY = "api", canary("dsn")
# Secrets that belong in the header or the address of a call.
OWN_SECRETS = {"github": ["github key"], "hook": ["webhook key", "webhook path", "webhook query"], SENTRY: ["dsn"]}
# The only request with credentials in its body.
EXCHANGE = "AssumeRoleWithWebIdentity"


class Written:
    """Collects output.

    Attributes:
        log: standard output and standard error: log lines and metrics.
        places: pairs of a place and a text or bytes.
        errors: the raised exceptions.
    """

    def __init__(self):
        self.log = io.StringIO()
        self.places = []
        self.errors = []

    def note_failures(self, patches):
        """Record the errors of messages from now on."""
        note, failure = self.errors.append, OutcomeLog.log_failure

        def noted_failure(outcome_log, error, fate, **fields):
            note(error)
            failure(outcome_log, error, fate, **fields)

        patches.setattr(OutcomeLog, "log_failure", noted_failure)

    def by(self, call):
        """Return the result of `call()`, or the error that it raises; Lambda records both."""
        with redirect_stdout(self.log), redirect_stderr(self.log):
            try:
                result = call()
            except Exception as error:  # pylint: disable=broad-exception-caught  # the test searches it
                self.errors.append(error)
                return error
        self.places.append(("the answer", repr(result)))
        return result

    def request(self, event_name, request):
        """Record a request of botocore, without the credentials that it needs."""
        service, operation = event_name.split(".")[1:3]
        headers = [f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in WHO_ASKS]
        self.places.append((f"a request to {service}", "\n".join([request.url, *headers])))
        body = bytes_of(request.body)
        if operation != EXCHANGE:
            self.places.append((f"what {operation} sends to {service}", body))
        if operation == "SendRawEmail":
            self.places += [("an e-mail", text) for text in _parts(body)]

    def call(self, name, path, headers, body):
        """Record a call to a service outside AWS, without that service's own secrets."""
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        head = "\n".join([path, *(f"{key}: {value}" for key, value in headers.items())])
        for own in OWN_SECRETS.get(name, ()):
            head = head.replace(canary(own), "")
        if name == SENTRY:
            # Every event names the key of the DSN, which Sentry calls public.
            body = body.replace(DSN_KEY.encode(), b"")
        self.places.append((f"a call to {name}", head))
        self.places.append((f"what is sent to {name}", body))

    def texts(self):
        """Yield pairs of a place and its text; errors come with their causes, as in a traceback."""
        yield "the log", self.log.getvalue()
        yield from self.places
        for error in self.errors:
            yield "a traceback", "".join(traceback.format_exception(error))
            yield "an error", f"{error} {error!r} {error.args!r}"

    def forget(self):
        """Remove all recorded output."""
        self.places.clear()
        self.errors.clear()
        self.log.seek(0)
        self.log.truncate()

    def objects(self, *others):
        """Yield a place and the `repr` of these objects, and of each object of the tasks in a traceback."""
        met = [value for error in self.errors for value in _locals(error)]
        for each in [*others, *met]:
            kind = type(each)
            if kind.__module__.startswith(("tasks.", "botocore.client", "botocore.credentials")):
                yield f"the repr of {kind.__name__}", repr(each)


def _locals(error):
    """Yield the values of all variables in the frames of an error and of its causes."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            yield from frame.f_locals.values()
        error = error.__cause__ or error.__context__


def bytes_of(body):
    """Return the body of a request as bytes."""
    if hasattr(body, "read"):
        text = body.read()
        body.seek(0)
        return text
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def _parts(body):
    """Yield the texts of an e-mail, which is base64 in base64."""
    raw = base64.b64decode(parse_qs(body.decode())["RawMessage.Data"][0])
    message = email.message_from_bytes(raw, policy=email.policy.default)
    yield unquote_plus(str(message["Subject"]))
    for part in message.walk():
        if not part.is_multipart():
            yield part.get_content()
