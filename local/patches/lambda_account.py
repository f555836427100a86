"""The limits of an account in Lambda.

Source: Lambda API Reference, GetAccountSettings; Lambda Developer Guide, "Lambda quotas".
"""

import json
from types import SimpleNamespace
from typing import Any

from moto.awslambda.models import LambdaBackend
from moto.awslambda.responses import LambdaResponse

from local.patches.patching import patch

PATH = r"{0}/(?P<api_version>[^/]+)/account-settings/?$"

# The default of the quota "Concurrent executions".
CONCURRENT_EXECUTIONS = 1000


@patch(LambdaBackend, "_url_module")
def route_account_settings(original: Any, backend: Any) -> Any:
    """An account's settings have a URL; moto does not serve it."""
    module = original(backend)
    return SimpleNamespace(url_bases=module.url_bases, url_paths={**module.url_paths, PATH: LambdaResponse.dispatch})


@patch(LambdaResponse, "get_account_settings")
def get_account_settings(_original: Any, response: Any) -> str:
    """GetAccountSettings returns the concurrency of the account, and how much of it no function reserves; moto does not
    implement it.
    """
    functions = list(response.backend.list_functions())
    reserved = sum(int(function.reserved_concurrency or 0) for function in functions)
    limits = {
        "ConcurrentExecutions": CONCURRENT_EXECUTIONS,
        "UnreservedConcurrentExecutions": CONCURRENT_EXECUTIONS - reserved,
    }
    return json.dumps({"AccountLimit": limits, "AccountUsage": {"FunctionCount": len(functions)}})
