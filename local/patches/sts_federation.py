"""Identities of one partition in another: tokens that STS issues in the one and takes in the other.

The rules are those of the IAM User Guide, "Federating AWS identities across AWS partitions" and its pages on set-up and
controls, and of the API References of STS and IAM.
"""

# A patch reaches into moto by its nature.
# pylint: disable=protected-access

import json
import time
import uuid
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
from local.patches.policy_conditions import Context, hold
from local.patches.tokens import ES384, RS256, InvalidToken, Issuer, claims_of

GET_TOKEN, ASSUME = "sts:GetWebIdentityToken", "sts:AssumeRoleWithWebIdentity"

# Why credentials are refused that were good once.
EXPIRED = "Expired"

# What a token lasts in seconds, where the request does not say, at least and at most.
DEFAULT_SECONDS, LEAST_SECONDS, MOST_SECONDS = 300, 60, 3600

# What is known of a request for a token, as far as policies ask.
_token_request: ContextVar[Context | None] = ContextVar("token_request", default=None)


@patch(IamResponse, "enable_outbound_web_identity_federation")
def enable_federation(_original: Any, response: IamResponse) -> ActionResult:
    """An account issues tokens once it is enabled; its issuer URL stays the same. moto does not know the call."""
    issuer = _issuer(response.backend)
    if issuer is None:
        name = uuid.uuid5(uuid.NAMESPACE_OID, f"{response.partition}:{response.current_account}")
        issuer = Issuer(f"https://{name}.tokens.sts.global.api.aws", response.partition, enabled=False)
        response.backend.outbound_issuer = issuer
    if issuer.enabled:
        raise STSClientError("FeatureEnabledException", "Outbound web identity federation is enabled already.")
    issuer.enabled = True
    return ActionResult({"IssuerIdentifier": issuer.url})


@patch(IamResponse, "disable_outbound_web_identity_federation")
def disable_federation(_original: Any, response: IamResponse) -> EmptyResult:
    """An account that was disabled issues no more tokens; moto does not know the call."""
    _enabled_issuer(response.backend, "FeatureDisabledException").enabled = False
    return EmptyResult()


@patch(IamResponse, "get_outbound_web_identity_federation_info")
def say_who_issues(_original: Any, response: IamResponse) -> ActionResult:
    """An account says its issuer URL; moto does not know the call."""
    issuer = _enabled_issuer(response.backend, "FeatureDisabledException")
    return ActionResult({"IssuerIdentifier": issuer.url, "JwtVendingEnabled": True})


@patch(IamResponse, "get_region_from_url")
def know_the_partition_of_govcloud(original: Any, response: IamResponse, request: Any, full_url: str) -> str:
    """IAM of GovCloud is at iam.us-gov.amazonaws.com; moto takes `us-gov` for a region of the partition aws."""
    region = original(response, request, full_url)
    return "us-gov-west-1" if region == "us-gov" else region


@patch(TokenResponse, "get_web_identity_token")
def issue_a_token(_original: Any, response: TokenResponse) -> ActionResult:
    """STS signs a token for the caller, its `sub` the ARN of the caller's role or user; moto does not know the call."""
    if "Authorization" not in response.headers:
        raise _Refused(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    issuer = _enabled_issuer(
        iam_backends[response.current_account][response.partition], "OutboundWebIdentityFederationDisabledException"
    )
    audiences = response._get_param("Audience") or []
    seconds = response._get_int_param("DurationSeconds", DEFAULT_SECONDS)
    algorithm = response._get_param("SigningAlgorithm")
    if not audiences or not LEAST_SECONDS <= seconds <= MOST_SECONDS or algorithm not in (RS256, ES384):
        raise _Refused(400, "ValidationError", "A parameter does not satisfy its constraint.")
    now = int(time.time())
    claims = {
        "iss": issuer.url,
        "aud": audiences[0] if len(audiences) == 1 else audiences,
        "sub": _principal(response),
        "iat": now,
        "exp": now + seconds,
        "jti": str(uuid.uuid4()),
        "https://sts.amazonaws.com/": {"aws_account": response.current_account, "source_region": response.region},
    }
    return ActionResult({"WebIdentityToken": issuer.sign(claims, algorithm), "Expiration": now + seconds})


@patch(IAMRequestBase, "check_action_permitted")
def ask_policies_about_the_token(original: Any, request: Any, resource: str) -> None:
    """The conditions `sts:IdentityTokenAudience`, `sts:DurationSeconds` and `sts:SigningAlgorithm` limit which tokens a
    role may ask for; moto takes every condition for met.
    """
    if request._action != GET_TOKEN:
        original(request, resource)
        return
    asked = request._data
    token = _token_request.set(
        {
            "sts:identitytokenaudience": [value[0] for name, value in asked.items() if name.startswith("Audience.")],
            "sts:durationseconds": asked.get("DurationSeconds", [str(DEFAULT_SECONDS)]),
            "sts:signingalgorithm": asked.get("SigningAlgorithm", []),
        }
    )
    try:
        original(request, resource)
    finally:
        _token_request.reset(token)


@patch(IAMPolicyStatement, "is_action_permitted")
def weigh_the_conditions_on_tokens(original: Any, statement: Any, *args: Any, **kwargs: Any) -> PermissionResult:
    """A statement whose conditions on a token do not hold says nothing; moto takes every condition for met."""
    asked = _token_request.get()
    if asked is not None and not hold(statement._statement.get("Condition"), asked):
        return PermissionResult.NEUTRAL
    return original(statement, *args, **kwargs)


@patch(TokenResponse, "_authenticate_and_authorize_normal_action")
def let_tokens_speak_for_themselves(original: Any, response: TokenResponse, resource: str = "*") -> None:
    """AssumeRoleWithWebIdentity is not signed: the token says who asks. moto denies it when it checks permissions."""
    if response._get_action() != "AssumeRoleWithWebIdentity":
        original(response, resource)


@patch(TokenResponse, "assume_role_with_web_identity")
def exchange_a_token(_original: Any, response: TokenResponse) -> ActionResult:
    """STS takes a token on four conditions: it is signed by its issuer and not expired, an OpenID Connect provider of
    the role's account and partition names the issuer and the audience, it comes from another partition if an AWS
    account issued it, and the role trusts provider, audience and subject. moto takes any.
    """
    role_arn = response._get_param("RoleArn")
    account, partition = _place(role_arn)
    host = response.region_regex.search(response.uri)
    # At the embedded AWS's own address a request that is not signed names no region, so it is where its role is.
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
    known = {f"{issuer_name}:{name}".lower(): [claims[name]] for name in ("aud", "sub")}
    if not _trusts(iam, role_arn, provider.arn, known):
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
def end_sessions(original: Any, key: Any, **about: Any) -> None:
    """Temporary credentials end when they say so; moto takes them for ever."""
    original(key, **about)
    backend = sts_backends[about["account_id"]][about["partition"]]
    assumed = backend.get_assumed_role_from_access_key(about["access_key_id"])
    if assumed and assumed.expiration <= utcnow():
        raise CreateAccessKeyFailure(reason=EXPIRED)


@patch(S3IAMRequest, "_raise_invalid_access_key")
def say_that_a_session_ended(original: Any, request: Any, reason: str) -> None:
    """S3 answers 400 ExpiredToken (API Reference, Error responses); moto knows no such reason."""
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


def _trusts(iam: IAMBackend, role_arn: str, provider_arn: str, known: Context) -> bool:
    try:
        policy = json.loads(iam.get_role_by_arn(role_arn).assume_role_policy_document)
    except NotFoundException:
        return False
    return any(
        statement["Effect"] == "Allow"
        and ASSUME in _as_list(statement["Action"])
        and isinstance(statement["Principal"], dict)
        and provider_arn in _as_list(statement["Principal"].get("Federated", []))
        and hold(statement.get("Condition"), known)
        for statement in _as_list(policy["Statement"])
    )


def _principal(response: TokenResponse) -> str:
    """Return the ARN of the caller: that of its role, and not of the session of it."""
    assumed = response.backend.get_assumed_role_from_access_key(response.get_access_key())
    if assumed:
        return assumed.role_arn
    return response.backend.get_caller_identity(response.get_access_key(), response.region)[1]


def _place(arn: str) -> tuple[str, str]:
    """Return account and partition of an ARN."""
    _, partition, _, _, account, _ = arn.split(":", 5)
    return account, partition


def _issuer(iam: IAMBackend) -> Issuer | None:
    # An attribute of the backend, so that it goes with everything else when that is reset.
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


def _denied() -> "_Refused":
    return _Refused(403, "AccessDenied", f"Not authorized to perform {ASSUME}")


class _Refused(_RESTError):
    """An error that the description of STS does not name."""

    def __init__(self, status: int, code: str, message: str):
        self.code = status
        super().__init__(code, message)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
