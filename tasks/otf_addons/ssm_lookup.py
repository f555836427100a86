"""The look-up `aws.ssm`: `{{ lookup('aws.ssm', name='/a/parameter') }}` in variables and tasks.

The framework puts the result of a look-up between quotes into a JSON text, and parses that text. It parses variables
twice: their own text, and then the text of the task into which it puts their values. So a value is written as JSON,
once or twice, and holds nothing that looks like a template.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from opentaskpy.exceptions import LookupPluginError

from tasks.otf_addons.connections import make_client
from tasks.otf_addons.options import Keys, Protocol
from tasks.otf_addons.settings import Settings
from tasks.otf_addons.task_log import task_logger
from tasks.utils.s3_object import printable

LOGGER = task_logger(__name__)
# A look-up that the framework has not made yet. A result of this look-up has no brace, so it does not match.
UNREAD = re.compile(r"\{\{[^{}]*\blookup\(")
# The framework's users search for this text after a look-up that failed.
LOOKUP_FAILED = "LOOKUP_FAILED"
# The level of the framework's own "VERBOSE2".
VERBOSE = 12


def run(**given: Any) -> str:
    """Return the decrypted value of a parameter, in the form in which it stands between quotes in the framework's JSON.

    Args:
        given: `name`, the parameter's; and from the framework `globals`, the variables, whose `AWS_ACCESS_KEY_ID`,
            `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and `AWS_REGION` take precedence over the environment.

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
        LOGGER.error("%s", sentence)
        if settings.failed_lookup_is_error:
            raise LookupPluginError(sentence) from error
        LOGGER.warning("SSM parameter lookup failed but continuing anyway")
        return LOOKUP_FAILED
    LOGGER.log(VERBOSE, "Read the parameter %s", name)
    encoded = as_json(value)
    return as_json(encoded) if _is_parsed_twice(variables, settings) else encoded


def as_json(text: str) -> str:
    """Return a text as it stands between the quotes of a JSON string; no brace in it begins a template."""
    return json.dumps(text)[1:-1].replace("{", "\\u007b")


@cache
def client_of(protocol: Protocol) -> Any:
    """Return the client of a protocol. Hundreds of variables may need a look-up, and one client serves them all."""
    return make_client("ssm", protocol)


def _parameter(name: str, protocol: Protocol) -> str:
    value: str = client_of(protocol).get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    return value


def _protocol(variables: Mapping[str, Any], settings: Settings) -> Protocol:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    keys = Keys(*(variables.get(name) or None for name in names))
    return Protocol(keys=keys, region=variables.get("AWS_REGION") or settings.region)


def _is_parsed_twice(variables: dict[str, Any], settings: Settings) -> bool:
    """Return whether the framework is reading variables: then they still hold their look-ups; in a task they do not."""
    # The framework's own mapping would make the look-ups, so the values are read with the method of `dict`.
    values = dict.values(variables)
    are_unread = UNREAD.search(json.dumps(list(values), default=str))
    return bool(are_unread) and not settings.variables_are_read_once
