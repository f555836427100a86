"""Checks of a mirror's destination: whether it can be reached, and as whom."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from ops.deployment import Deployment
from ops.doctor.checkup import Check
from ops.doctor.commands import apply, aws
from ops.doctor.facts import DENIED, FOREIGN_CREDENTIALS, Facts, code_of
from ops.doctor.findings import Result, check_that, ok, problem, unknown
from ops.doctor.subjects import Function, functions, mirror_of

ROLE = "aws_iam_role.partition_replicate_destination[0]"
PROVIDER = "aws_iam_openid_connect_provider.partition_replicate[0]"
FIELDS = ("accesskey", "secretaccesskey")

# An ETag that no object has.
NO_ETAG = '"00000000000000000000000000000000"'
PROVE = "brigade prove"


def replicators(deployment: Deployment) -> Iterator[Function]:
    """Yield the functions that write a mirror."""
    yield from (each for each in functions(deployment) if each.kind == "partition_replicate")


def access(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the bucket of the mirror can be listed."""
    bucket, settings = mirror_of(function).destination, facts.settings(function.label)
    where = settings["DEST_ENDPOINT_URL"] or settings["DEST_BUCKET_REGION"]
    try:
        facts.far_client(mirror_of(function), "s3").list_objects_v2(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if code_of(error) not in FOREIGN_CREDENTIALS | DENIED:
            raise
        yield _refused(facts, function, where, code_of(error))
    else:
        yield ok(f"{where} answers for the bucket {bucket}")


def _refused(facts: Facts, function: Function, where: str, code: str) -> Result:
    """Return what a refusal means: a fault if the credentials are the function's own."""
    name = mirror_of(function).secret
    if name and not facts.brigade.has_destination_profile:
        return problem(f"{where} refuses the key in the secret with {code}", _put_secret(facts, name))
    reason = f"{where} refuses the caller with {code}, so the bucket, versioning and role there are not checked"
    return unknown(reason, "pass --destination-profile with a profile of the mirror's account")


def secret(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the secret holds a key; its value is never shown."""
    name = facts.settings(function.label).get("DEST_SECRET")
    if not name:
        return
    try:
        found = facts.read("secretsmanager", "get_secret_value", "ResourceNotFoundException", SecretId=name)
    except ClientError as error:
        if code_of(error) != "InvalidRequestException":
            raise
        restore = aws("secretsmanager", "restore-secret", secret_id=name, region=facts.region)
        yield problem(f"the secret {name} is being deleted", restore)
        return
    missing = [field for field in FIELDS if not _fields(found.get("SecretString", "")).get(field)]
    empty = problem(f"the secret {name} has no {' and no '.join(missing)}", _put_secret(facts, name))
    yield check_that(not missing, f"the secret {name} has both fields", empty)


def _fields(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _put_secret(facts: Facts, name: str) -> str:
    words = ("secretsmanager", "put-secret-value")
    return aws(*words, secret_id=name, secret_string="file://key.json", region=facts.region)


def federation(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the account issues tokens, and that the mirror's role accepts them."""
    role = facts.settings(function.label).get("DEST_ROLE_ARN")
    if not role:
        return
    found = facts.read("iam", "get_outbound_web_identity_federation_info", "FeatureDisabled")
    issuer = found.get("IssuerIdentifier", "") if found.get("JwtVendingEnabled", True) else ""
    off = problem(
        "the account issues no tokens, so the function cannot assume the role of the mirror",
        aws("iam", "enable-outbound-web-identity-federation"),
    )
    yield check_that(bool(issuer), f"the account issues tokens as {issuer}", off)
    if issuer:
        yield from _of_role(facts, function, role, issuer)


def _of_role(facts: Facts, function: Function, role: str, issuer: str) -> Iterator[Result]:
    mirror, name = mirror_of(function), role.rpartition("/")[2]
    found = facts.read_far(mirror, "iam", "get_role", "NoSuchEntity", RoleName=name)
    if not found:
        yield problem(f"the role {role} of the mirror does not exist", apply(ROLE))
        return
    trust = _trust_of(found["Role"]["AssumeRolePolicyDocument"])
    host, audience = issuer.removeprefix("https://"), facts.settings(function.label)["DEST_TOKEN_AUDIENCE"]
    wanted = {f"{host}:aud": audience, f"{host}:sub": facts.configuration(function.label)["Role"]}
    found_conditions = {key: trust.conditions.get(key, "not set") for key in wanted}
    wrong = [f"{key} is {value}" for key, value in found_conditions.items() if value != wanted[key]]
    other = problem(f"the role {name} does not trust this function's token: {', '.join(wrong)}", apply(ROLE))
    yield check_that(not wrong, f"the role {name} trusts this function's token", other)
    yield _of_provider(facts, function, trust.provider, issuer, audience)


def _of_provider(facts: Facts, function: Function, provider: str, issuer: str, audience: str) -> Result:
    arguments = {"OpenIDConnectProviderArn": provider}
    found = facts.read_far(mirror_of(function), "iam", "get_open_id_connect_provider", "NoSuchEntity", **arguments)
    if not found:
        return problem(f"the OpenID Connect provider {provider} does not exist", apply(PROVIDER))
    if found["Url"].removeprefix("https://") != issuer.removeprefix("https://"):
        variable = f'partition_replicate_issuer_url = "{issuer}"'
        return problem(
            f"the OpenID Connect provider is for {found['Url']}, and the account issues as {issuer}", variable
        )
    add = aws(
        *("iam", "add-client-id-to-open-id-connect-provider"),
        open_id_connect_provider_arn=provider,
        client_id=audience,
    )
    refused = problem(f"the OpenID Connect provider does not accept the audience {audience}", add)
    return check_that(audience in found["ClientIDList"], f"the provider accepts the audience {audience}", refused)


class _Trust(NamedTuple):
    """The OpenID Connect provider that a trust policy names, and its conditions."""

    provider: str
    conditions: Mapping[str, str]


def _trust_of(policy: str | Mapping[str, Any]) -> _Trust:
    # botocore decodes the policy.
    document = json.loads(policy) if isinstance(policy, str) else policy
    statements = document.get("Statement", [])
    wanted = "sts:AssumeRoleWithWebIdentity"
    statement: dict[str, Any] = next((each for each in statements if wanted in each.get("Action", "")), {})
    equal = statement.get("Condition", {}).get("StringEquals", {})
    conditions = {key: value[0] if isinstance(value, list) else value for key, value in equal.items()}
    return _Trust(str(statement.get("Principal", {}).get("Federated", "")), conditions)


def conditional(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the destination compares before it writes, as far as a read shows it."""
    if facts.settings(function.label)["DEST_ENDPOINT_URL"]:
        yield _conditional_read(facts, function)
    elif facts.far_partition(mirror_of(function)) == "aws":
        yield ok("Amazon S3 compares before it writes, copies and deletes")
    else:
        # The announcements of conditional copies and deletes do not name the other partitions.
        yield unknown("only a write shows whether S3 in this partition compares before it copies and deletes", PROVE)


def _conditional_read(facts: Facts, function: Function) -> Result:
    mirror, bucket = mirror_of(function), mirror_of(function).destination
    listed = facts.read_far(mirror, "s3", "list_objects_v2", "NoSuchBucket", Bucket=bucket, MaxKeys=1)
    if not listed.get("Contents"):
        return unknown("the mirror is empty, and only a write shows whether it compares first", PROVE)
    key = listed["Contents"][0]["Key"]
    if facts.read_far(mirror, "s3", "head_object", "412", Bucket=bucket, Key=key, IfMatch=NO_ETAG):
        reason = "the store ignores If-Match: the function observes before each write, and a late write may win"
        return problem(
            reason, "partition_replicate_destination_endpoint_url = the URL of a store with conditional writes"
        )
    return unknown("the store honours If-Match in reads, and only a write shows whether it does in writes", PROVE)


CHECKS = (
    Check("access", "whether the mirror's bucket can be listed", replicators, access),
    Check("secret", "whether the secret holds a key, without showing it", replicators, secret),
    Check(
        "federation", "whether the account issues tokens, and the mirror's role accepts them", replicators, federation
    ),
    Check("conditional requests", "whether the mirror compares before it writes", replicators, conditional),
)
