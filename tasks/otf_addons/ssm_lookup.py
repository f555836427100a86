"""The look-up `aws.ssm`: `{{ lookup('aws.ssm', name='/a/parameter') }}` in variables and tasks.

The framework puts what a look-up returns between quotes in a JSON text, and reads that. Variables it reads twice: their
own text, and then that of the task that their values are put into as they are. So a value is written as JSON, once or
twice, with nothing in it that a template would be taken for.
"""

# pylint: disable=logging-fstring-interpolation  # task_log says why

import json
import re
from functools import cache

from botocore.exceptions import BotoCoreError, ClientError
from opentaskpy.exceptions import LookupPluginError

from tasks.otf_addons.connections import make_client
from tasks.otf_addons.options import Protocol
from tasks.otf_addons.settings import Settings
from tasks.otf_addons.task_log import task_logger
from tasks.utils.s3_object import printable

LOGGER = task_logger(__name__)
# A look-up that has yet to be made. What this one returns has no brace, so it is not taken for one.
UNREAD = re.compile(r"\{\{[^{}]*\blookup\(")
# What users of the framework look for where a look-up failed.
LOOKUP_FAILED = "LOOKUP_FAILED"
# The detail of the framework's own "VERBOSE2".
VERBOSE = 12


def run(**given):
    """Returns the value of a parameter, decrypted, as it may stand between quotes in the framework's JSON.

    Args:
        given: `name`, the parameter's; and from the framework `globals`, the variables, whose `AWS_ACCESS_KEY_ID`,
            `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and `AWS_REGION` go before those of the environment.

    Raises:
        LookupPluginError: `name` is missing; or the look-up failed and the environment says that this is an error.
    """
    if "name" not in given:
        raise LookupPluginError("Missing kwarg: 'name' while trying to run lookup plugin 'ssm'")
    name, variables, settings = given["name"], given.get("globals") or {}, Settings.read()
    try:
        value = _parameter(name, _protocol(variables, settings))
    except (ClientError, BotoCoreError) as error:
        sentence = printable(f"The parameter {name} cannot be read: {error}")
        LOGGER.error(sentence)
        if settings.failed_lookup_is_error:
            raise LookupPluginError(sentence) from error
        LOGGER.warning("SSM parameter lookup failed but continuing anyway")
        return LOOKUP_FAILED
    LOGGER.log(VERBOSE, f"Read the parameter {name}")
    written = as_json(value)
    return as_json(written) if _is_read_twice(variables, settings) else written


def as_json(text):
    """Returns a text as it stands between the quotes of a JSON string; no brace in it begins a template."""
    return json.dumps(text)[1:-1].replace("{", "\\u007b")


@cache
def client_of(protocol):
    """Returns the client of a `Protocol`: hundreds of variables may be looked up, and one client serves them all."""
    return make_client("ssm", protocol)


def _parameter(name, protocol):
    return client_of(protocol).get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]


def _protocol(variables, settings):
    return Protocol(
        access_key_id=variables.get("AWS_ACCESS_KEY_ID") or None,
        secret_access_key=variables.get("AWS_SECRET_ACCESS_KEY") or None,
        session_token=variables.get("AWS_SESSION_TOKEN") or None,
        region=variables.get("AWS_REGION") or settings.region,
    )


def _is_read_twice(variables, settings):
    """While variables are being read, they still hold their look-ups; when a task is, those are gone."""
    # The framework's own mapping would make the look-ups; what it holds is asked for.
    held = dict.values(variables)
    are_unread = UNREAD.search(json.dumps(list(held), default=str))
    return bool(are_unread) and not settings.variables_are_read_once
