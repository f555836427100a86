"""Identities of one partition in another: STS issues a token in one partition and accepts it in the other.

The rules are those of the IAM User Guide, "Federating AWS identities across AWS partitions" and its pages on set-up and
controls, and of the API References of STS and IAM.
"""

# pylint: disable=protected-access  # a patch replaces internals of moto

import json
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from moto.core.exceptions import _RESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.iam.access_control import (
    AssumedRoleAccessKey,
    CreateAccessKeyFailure,
    IAMPolicyStatement,
    IAMRequestBase,
    PermissionResult,
    S3IAMRequest,
)
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, iam_backends
from moto.iam.responses import IamResponse
from moto.s3.exceptions import S3ClientError
from moto.sts.exceptions import STSClientError
from moto.sts.models import sts_backends
from moto.sts.responses import TokenResponse
from moto.utilities.utils import get_partition

from local.patches.patching import patch
from local.patches.policy_conditions import Context, conditions_hold
from local.patches.tokens import ES384, RS256, InvalidToken, Issuer, claims_of

GET_TOKEN, ASSUME = "sts:GetWebIdentityToken", "sts:AssumeRoleWithWebIdentity"

# The reason of `CreateAccessKeyFailure` for expired credentials.
EXPIRED = "Expired"

# The lifetime of a token: default, minimum and maximum.
DEFAULT_SECONDS, MIN_SECONDS, MAX_SECONDS = 300, 60, 3600

# The condition keys of the current request for a token.
_token_conditions: ContextVar[Context | None] = ContextVar("token_conditions", default=None)


@patch(IamResponse, "enable_outbound_web_identity_federation")
def enable_federation(_original: Any, response: IamResponse) -> ActionResult:
    """An enabled account issues tokens, always with the same issuer URL; moto does not implement the call."""
    issuer = _issuer(response.backend)
    if issuer is None:
        name = uuid.uuid5(uuid.NAMESPACE_OID, f"{response.partition}:{response.current_account}")
        issuer = Issuer(f"https://{name}.tokens.sts.global.api.aws", response.partition, enabled=False)
        vars(response.backend)["outbound_issuer"] = issuer
    if issuer.enabled:
        raise STSClientError("FeatureEnabledException", "Outbound web identity federation is enabled already.")
    issuer.enabled = True
    return ActionResult({"IssuerIdentifier": issuer.url})


@patch(IamResponse, "disable_outbound_web_identity_federation")
def disable_federation(_original: Any, response: IamResponse) -> EmptyResult:
    """A disabled account issues no more tokens; moto does not implement the call."""
    _enabled_issuer(response.backend, "FeatureDisabledException").enabled = False
    return EmptyResult()


@patch(IamResponse, "get_outbound_web_identity_federation_info")
def get_federation_info(_original: Any, response: IamResponse) -> ActionResult:
    """An account has an issuer URL; moto does not implement the call."""
    issuer = _enabled_issuer(response.backend, "FeatureDisabledException")
    return ActionResult({"IssuerIdentifier": issuer.url, "JwtVendingEnabled": True})


@patch(IamResponse, "get_region_from_url")
def resolve_partition_of_govcloud(original: Any, response: IamResponse, request: Any, full_url: str) -> str:
    """The IAM endpoint of GovCloud is iam.us-gov.amazonaws.com; moto reads `us-gov` as a region of partition aws."""
    region = original(response, request, full_url)
    return "us-gov-west-1" if region == "us-gov" else region


@patch(TokenResponse, "get_web_identity_token")
def issue_token(_original: Any, response: TokenResponse) -> ActionResult:
    """STS signs a token whose `sub` is the ARN of the caller's role or user; moto does not implement the call."""
    if "Authorization" not in response.headers:
        raise _StsError(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    issuer = _enabled_issuer(
        iam_backends[response.current_account][response.partition], "OutboundWebIdentityFederationDisabledException"
    )
    audiences = response._get_param("Audience") or []
    seconds = response._get_int_param("DurationSeconds", DEFAULT_SECONDS)
    algorithm = response._get_param("SigningAlgorithm")
    if not audiences or not MIN_SECONDS <= seconds <= MAX_SECONDS or algorithm not in (RS256, ES384):
        raise _StsError(400, "ValidationError", "A parameter does not satisfy its constraint.")
    now = int(time.time())
    claims = {
        "iss": issuer.url,
        "aud": audiences[0] if len(audiences) == 1 else audiences,
        "sub": _principal_arn(response),
        "iat": now,
        "exp": now + seconds,
        "jti": str(uuid.uuid4()),
        "https://sts.amazonaws.com/": {"aws_account": response.current_account, "source_region": response.region},
    }
    return ActionResult({"WebIdentityToken": issuer.sign(claims, algorithm), "Expiration": now + seconds})


@patch(IAMRequestBase, "check_action_permitted")
def collect_token_conditions(original: Any, request: Any, resource: str) -> None:
    """The conditions `sts:IdentityTokenAudience`, `sts:DurationSeconds` and `sts:SigningAlgorithm` limit the tokens
    that a role may request; moto treats every condition as met.
    """
    if request._action != GET_TOKEN:
        original(request, resource)
        return
    data = request._data
    previous = _token_conditions.set(
        {
            "sts:identitytokenaudience": [value[0] for name, value in data.items() if name.startswith("Audience.")],
            "sts:durationseconds": data.get("DurationSeconds", [str(DEFAULT_SECONDS)]),
            "sts:signingalgorithm": data.get("SigningAlgorithm", []),
        }
    )
    try:
        original(request, resource)
    finally:
        _token_conditions.reset(previous)


@patch(IAMPolicyStatement, "is_action_permitted")
def check_token_conditions(
    original: Callable[..., PermissionResult], statement: Any, *args: Any, **kwargs: Any
) -> PermissionResult:
    """A statement applies only if its conditions on a token hold; moto treats every condition as met."""
    context = _token_conditions.get()
    if context is not None and not conditions_hold(statement._statement.get("Condition"), context):
        return PermissionResult.NEUTRAL
    return original(statement, *args, **kwargs)


@patch(TokenResponse, "_authenticate_and_authorize_normal_action")
def accept_unsigned_token_exchange(original: Any, response: TokenResponse, resource: str = "*") -> None:
    """AssumeRoleWithWebIdentity is not signed, because the token identifies the caller; moto denies it."""
    if response._get_action() != "AssumeRoleWithWebIdentity":
        original(response, resource)


@patch(TokenResponse, "assume_role_with_web_identity")
def exchange_token(_original: Any, response: TokenResponse) -> ActionResult:
    """STS accepts a token on four conditions: it is signed by its issuer and not expired, an OpenID Connect provider of
    the role's account and partition names the issuer and the audience, it comes from another partition if an AWS
    account issued it, and the role trusts provider, audience and subject. Moto accepts any token.
    """
    role_arn = response._get_param("RoleArn")
    account, partition = _account_and_partition(role_arn)
    host = response.region_regex.search(response.uri)
    # An unsigned request to the embedded AWS's own address names no region; its role names the partition.
    if host and get_partition(host[1]) != partition:
        raise _denied()
    iam = iam_backends[account][partition]
    claims = _verified_claims(response._get_param("WebIdentityToken"), partition)
    issuer_name = claims["iss"].removeprefix("https://")
    provider = iam.open_id_providers.get(f"arn:{partition}:iam::{account}:oidc-provider/{issuer_name}")
    if provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {claims['iss']}")
    if claims["aud"] not in provider.client_id_list:
        raise _invalid("Incorrect token audience")
    context = {f"{issuer_name}:{name}".lower(): [claims[name]] for name in ("aud", "sub")}
    if not _trusts(iam, role_arn, provider.arn, context):
        raise _denied()
    assumed = sts_backends[account][partition].assume_role(
        region_name=response.region if host else partition,
        role_session_name=response._get_param("RoleSessionName"),
        role_arn=role_arn,
        policy="",
        duration=response._get_int_param("DurationSeconds", 3600),
        external_id="",
    )
    return ActionResult(
        {
            "Credentials": assumed,
            "AssumedRoleUser": {"AssumedRoleId": assumed.user_id, "Arn": assumed.arn},
            "SubjectFromWebIdentityToken": claims["sub"],
            "Audience": claims["aud"],
            "Provider": provider.arn,
        }
    )


@patch(AssumedRoleAccessKey, "__init__")
def expire_sessions(original: Any, key: Any, **identity: Any) -> None:
    """Temporary credentials expire at their expiration; moto accepts them for ever."""
    original(key, **identity)
    backend = sts_backends[identity["account_id"]][identity["partition"]]
    assumed = backend.get_assumed_role_from_access_key(identity["access_key_id"])
    if assumed and assumed.expiration <= utcnow():
        raise CreateAccessKeyFailure(reason=EXPIRED)


@patch(S3IAMRequest, "_raise_invalid_access_key")
def report_expired_session(original: Any, request: Any, reason: str) -> None:
    """S3 answers 400 ExpiredToken (API Reference, Error responses); moto does not have this reason."""
    if reason == EXPIRED:
        raise S3ClientError("ExpiredToken", "The provided token has expired.")
    original(request, reason)


def _verified_claims(token: str, partition: str) -> dict[str, Any]:
    try:
        claims = claims_of(token)
        issuer = _issuer_of(claims["iss"])
        if issuer is None:
            raise _invalid("Couldn't retrieve verification key from your identity provider")
        issuer.verify(token)
    except InvalidToken as error:
        raise _invalid(f"The web identity token cannot be validated: {error}") from error
    if claims["exp"] <= time.time():
        raise STSClientError("ExpiredTokenException", "Token expired")
    if not isinstance(claims["aud"], str):
        raise _invalid("The web identity token must have one audience")
    if issuer.partition == partition:
        raise _invalid("The web identity token was issued in the partition of the role")
    return claims


def _trusts(iam: IAMBackend, role_arn: str, provider_arn: str, context: Context) -> bool:
    try:
        policy = json.loads(iam.get_role_by_arn(role_arn).assume_role_policy_document)
    except NotFoundException:
        return False
    return any(
        statement["Effect"] == "Allow"
        and ASSUME in _as_list(statement["Action"])
        and isinstance(statement["Principal"], dict)
        and provider_arn in _as_list(statement["Principal"].get("Federated", []))
        and conditions_hold(statement.get("Condition"), context)
        for statement in _as_list(policy["Statement"])
    )


def _principal_arn(response: TokenResponse) -> str:
    """Return the ARN of the caller: for a session, the ARN of its role."""
    assumed = response.backend.get_assumed_role_from_access_key(response.get_access_key())
    if assumed:
        return assumed.role_arn
    return response.backend.get_caller_identity(response.get_access_key(), response.region)[1]


def _account_and_partition(arn: str) -> tuple[str, str]:
    _, partition, _, _, account, _ = arn.split(":", 5)
    return account, partition


def _issuer(iam: IAMBackend) -> Issuer | None:
    # An attribute of the backend, so that a reset of the backend removes it.
    return getattr(iam, "outbound_issuer", None)


def _enabled_issuer(iam: IAMBackend, code: str) -> Issuer:
    issuer = _issuer(iam)
    if issuer is None or not issuer.enabled:
        raise STSClientError(code, "Outbound web identity federation is not enabled for this account.")
    return issuer


def _issuer_of(url: str) -> Issuer | None:
    backends = [backend for account in list(iam_backends.values()) for backend in list(account.values())]
    return next((issuer for issuer in map(_issuer, backends) if issuer and issuer.url == url), None)


def _invalid(reason: str) -> STSClientError:
    return STSClientError("InvalidIdentityTokenException", reason)


def _denied() -> "_StsError":
    return _StsError(403, "AccessDenied", f"Not authorized to perform {ASSUME}")


class _StsError(_RESTError):
    """An error that botocore's description of STS does not name."""

    def __init__(self, status: int, code: str, message: str):
        self.code = status
        super().__init__(code, message)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
