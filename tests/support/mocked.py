"""Moto in this process, for botocore's clients."""

from contextlib import contextmanager
from unittest.mock import patch

import botocore.client
import botocore.endpoint_provider
from moto import backend_index, mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from local import patches
from tests.support.measuring import unmeasured

_answer = BotocoreStubber.__call__


def make_once(owner, name, key_of):
    """Cache the results of `owner.name(...)`.

    For each client, botocore reads the service's rules for endpoints and creates a class with its operations. Tests
    create thousands of clients of a few services.

    Args:
        owner: a module or a class.
        name: a callable of it, which is replaced.
        key_of: takes the arguments of a call, and returns those that decide the result; they are compared by identity.
    """
    make, made = getattr(owner, name), {}

    def made_once(*arguments, **named):
        key = key_of(*arguments, **named)
        identity = tuple(map(id, key))
        if identity not in made:
            # Keep the key: another object in its place in memory would have the same identity.
            made[identity] = key, make(*arguments, **named)
        return made[identity][1]

    setattr(owner, name, made_once)


# Neither calls code of tasks/.
botocore.client.ClientCreator.create_client = unmeasured(botocore.client.ClientCreator.create_client)
make_once(botocore.endpoint_provider, "RuleSet", lambda **ruleset: (ruleset["rules"], ruleset["partitions"]))
make_once(
    botocore.client.ClientCreator,
    "_create_client_class",
    # Event handlers of a session may change the class, and have no public name.
    lambda creator, _, model: (vars(creator)["_event_emitter"], model.metadata),
)

# For each request, moto tries the patterns of 200 services one after the other, in this order.
OFTEN = {"dynamodb", "s3", "secretsmanager", "sqs", "ssm"}
backend_index.backend_url_patterns.sort(key=lambda named: named[0] not in OFTEN)


@contextmanager
def patched_aws(**how):
    """Start an empty, patched moto until the block ends; `how` are the arguments of `patches.applied`.

    Requests of the library `requests` are not mocked: for that moto would compile 1,300 patterns again each time, which
    takes longer than many tests.
    """
    with (
        patch("moto.core.models.RESPONSES_METHODS", []),
        # For each request, moto would load its module of S3's URLs again: environment variables may change them.
        patch("moto.s3.models.reload", lambda module: None),
        patch.object(BotocoreStubber, "__call__", _answer_with_bytes),
        mock_aws(),
        patches.applied(**how) as hooks,
    ):
        yield hooks


@unmeasured
def _answer_with_bytes(self, event_name, request, **kwargs):
    """Answer a request whose body is a memoryview, which a connection accepts and moto does not."""
    if isinstance(request.body, memoryview):
        request.body = bytes(request.body)
    return _answer(self, event_name, request, **kwargs)
