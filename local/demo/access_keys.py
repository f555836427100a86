"""Search for long-lived access keys and other secrets in Terraform's state, functions' environments and logs."""

import json
import re
from collections.abc import Iterable, Iterator

from moto.awslambda.models import lambda_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends

from local.stack import Stack
from tasks.utils.secret_values import Secrets

# The id of a user's access key. The id of a temporary session key begins with ASIA.
KEY_ID = re.compile(r"AKIA[A-Z0-9]{12,}")

# The name prefix of the users who deploy and inspect the demo. These have access keys.
PEOPLE = "administrator"


def found(stack: Stack, tokens: Iterable[str] = ()) -> list[str]:
    """Return each place that holds a secret, and each deployed user with an access key; never the secret itself.

    Args:
        stack: The running stack.
        tokens: Further secrets, which only SSM's Parameter Store may hold; also found in base64, and quoted.
    """
    keys = list(_keys(stack))
    owners = [f"the user {user} has an access key" for user, _ in keys if not user.startswith(PEOPLE)]
    known = {text for _, key in keys for text in key}
    secrets = Secrets()
    secrets.add(*tokens)
    places = list(_places(stack))
    holders = [place for place, text in places if KEY_ID.search(text) or any(key in text for key in known)]
    leaks = [place for place, text in places if secrets.hide(text) != text]
    return [
        *owners,
        *(f"{place} holds an access key" for place in holders),
        *(f"{place} holds a secret" for place in leaks),
    ]


def _keys(stack: Stack) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each access key of a user, in any partition: (name of the user, (id, secret))."""
    for iam in iam_backends[stack.aws.account_id].values():
        for user in list(iam.users.values()):
            for key in user.access_keys:
                yield user.name, (key.access_key_id, key.secret_access_key)


def _places(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield name and text of each place to search."""
    account = stack.aws.account_id
    for file in stack.folder.glob("*.tfstate*"):
        yield f"Terraform's state {file.name}", file.read_text(encoding="utf-8")
    for functions in list(lambda_backends[account].values()):
        for function in functions.list_functions():
            name = function.function_name
            yield f"the environment of {name}", json.dumps(function.environment_vars)
            yield f"the log of {name}", "\n".join(stack.functions.logs(name))
    for secrets in list(secretsmanager_backends[account].values()):
        for secret in list(secrets.secrets.values()):
            yield f"the secret {secret.name}", json.dumps(secret.versions, default=str)
    for logs in list(logs_backends[account].values()):
        for group in list(logs.groups.values()):
            for stream in list(group.streams.values()):
                yield f"the log group {group.name}", "\n".join(event.message for event in stream.events)
