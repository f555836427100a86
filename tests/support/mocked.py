"""Moto in this process, for clients of botocore."""

from contextlib import contextmanager
from unittest.mock import patch

import botocore.client
import botocore.endpoint_provider
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from local import patches

_answer = BotocoreStubber.__call__


def make_once(owner, name, key_of):
    """Has `owner.name(...)` make one thing for each key: its arguments as `key_of` gives them, by identity.

    botocore reads a service's rules for endpoints, and makes a class of its operations, for each client. Tests make
    thousands of clients of a few services.
    """
    make, made = getattr(owner, name), {}

    def made_once(*arguments, **named):
        key = key_of(*arguments, **named)
        identity = tuple(map(id, key))
        if identity not in made:
            # The key is kept: what took its place in memory would have the same identity.
            made[identity] = key, make(*arguments, **named)
        return made[identity][1]

    setattr(owner, name, made_once)


make_once(botocore.endpoint_provider, "RuleSet", lambda **ruleset: (ruleset["rules"], ruleset["partitions"]))
make_once(
    botocore.client.ClientCreator,
    "_create_client_class",
    # Handlers of a session may change the class; there is no public name for them.
    lambda creator, _, model: (vars(creator)["_event_emitter"], model.metadata),
)


@contextmanager
def patched_aws(**how):
    """Moto with its patches, empty, until the block ends; `how` is what `patches.applied` takes.

    Requests of the library `requests` are not mocked: for that moto would compile 1,300 patterns again each time, which
    takes longer than many tests.
    """
    with (
        patch("moto.core.models.RESPONSES_METHODS", []),
        patch.object(BotocoreStubber, "__call__", _answer_with_bytes),
        mock_aws(),
        patches.applied(**how) as hooks,
    ):
        yield hooks


def _answer_with_bytes(self, event_name, request, **kwargs):
    """Moto takes bytes and files; a connection takes memory as it is."""
    if isinstance(request.body, memoryview):
        request.body = bytes(request.body)
    return _answer(self, event_name, request, **kwargs)
