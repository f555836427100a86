"""Checks of a mirror's destination: whether it can be reached, and as whom."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from ops.deployment import Mirror
from ops.doctor.checkup import Check
from ops.doctor.commands import apply, aws
from ops.doctor.facts import DENIED, FOREIGN_CREDENTIALS, Facts, ReportedElsewhere, code_of
from ops.doctor.findings import Result, check_that, ok, problem, unknown
from ops.doctor.subjects import Identity, identities, writers

PROVIDER = "aws_iam_openid_connect_provider.partition_replicate[0]"
KEY_FIELDS = ("accesskey", "secretaccesskey")

# An ETag that no object has.
NO_ETAG = '"00000000000000000000000000000000"'
PROVE = "brigade prove"


def access(facts: Facts, identity: Identity) -> Iterator[Result]:
    """Check that the bucket of the mirror can be listed."""
    mirror, settings = identity.mirror, facts.settings(identity.label)
    where = settings["DEST_ENDPOINT_URL"] or settings["DEST_BUCKET_REGION"]
    try:
        facts.far_client(mirror, "s3").list_objects_v2(Bucket=mirror.destination, MaxKeys=1)
    except ClientError as error:
        if code_of(error) not in FOREIGN_CREDENTIALS | DENIED:
            raise
        yield _refused(facts, mirror, where, code_of(error))
    else:
        yield ok(f"{where} answers for the bucket {mirror.destination}")


def _refused(facts: Facts, mirror: Mirror, where: str, code: str) -> Result:
    """Return what a refusal means: a fault if the credentials are the function's own."""
    name = mirror.secret
    if name and not facts.brigade.has_destination_profile:
        return problem(f"{where} refuses the key in the secret with {code}", put_secret(facts, name))
    reason = f"{where} refuses the caller with {code}, so the bucket, versioning and role there are not checked"
    return unknown(reason, "pass --destination-profile with a profile of the mirror's account")


def secret(facts: Facts, identity: Identity) -> Iterator[Result]:
    """Check that the secret holds a key, and that all functions use the same secret; its value is never shown."""
    name = facts.settings(identity.label).get("DEST_SECRET", "")
    if not identity.is_writer:
        yield from _same_secret(facts, identity, name)
    elif name:
        yield from _key_in(facts, name)


def _same_secret(facts: Facts, identity: Identity, name: str) -> Iterator[Result]:
    """Compare the secret of a function with that of the mirror, which holds the only key."""
    mirror = facts.settings(identity.mirror.replicate).get("DEST_SECRET", "")
    command = apply(f"{identity.function.module}.aws_lambda_function.this")
    other = problem(f"it uses {name or 'no secret'}, and the mirror's function uses {mirror or 'none'}", command)
    if name or mirror:
        yield check_that(name == mirror, f"it uses the mirror's secret {name}", other)


def _key_in(facts: Facts, name: str) -> Iterator[Result]:
    try:
        found = fields_in(facts, name)
    except ClientError as error:
        if code_of(error) != "InvalidRequestException":
            raise
        restore = aws("secretsmanager", "restore-secret", secret_id=name, region=facts.region)
        yield problem(f"the secret {name} is being deleted", restore)
        return
    missing = [field for field in KEY_FIELDS if not found.get(field)]
    empty = problem(f"the secret {name} has no {' and no '.join(missing)}", put_secret(facts, name))
    yield check_that(not missing, f"the secret {name} has both fields", empty)


def fields_in(facts: Facts, name: str) -> Mapping[str, Any]:
    """Return the fields of the JSON object in a secret; none if it is missing or holds something else."""
    found = facts.read("secretsmanager", "get_secret_value", "ResourceNotFoundException", SecretId=name)
    try:
        fields = json.loads(found.get("SecretString", ""))
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def put_secret(facts: Facts, name: str) -> str:
    """Return the command that puts a key into a secret."""
    words = ("secretsmanager", "put-secret-value")
    return aws(*words, secret_id=name, secret_string="file://key.json", region=facts.region)


def role(facts: Facts, identity: Identity) -> Iterator[Result]:
    """Check that a function's role at the destination exists, and trusts the function's token."""
    settings = facts.settings(identity.label)
    arn, command = settings.get("DEST_ROLE_ARN"), apply(f"aws_iam_role.{identity.kind}[0]")
    if not arn:
        return
    trust = _trust(facts, identity)
    if trust is None:
        yield problem(f"the role {arn} at the destination does not exist", command)
    elif issuer := _issuer(facts):
        host = _host(issuer)
        wanted = {
            f"{host}:aud": settings["DEST_TOKEN_AUDIENCE"],
            f"{host}:sub": facts.configuration(identity.label)["Role"],
        }
        found = {key: trust.conditions.get(key, "not set") for key in wanted}
        wrong = ", ".join(f"{key} is {value}" for key, value in found.items() if value != wanted[key])
        other = problem(f"the role {arn} does not trust this function's token: {wrong}", command)
        yield check_that(not wrong, f"the role {arn} trusts this function's token", other)


def federation(facts: Facts, identity: Identity) -> Iterator[Result]:
    """Check that the account issues tokens, and that the mirror's account accepts them."""
    if not facts.settings(identity.label).get("DEST_ROLE_ARN"):
        return
    issuer = _issuer(facts)
    off = problem(
        "the account issues no tokens, so no function can assume its role at the destination",
        aws("iam", "enable-outbound-web-identity-federation"),
    )
    yield check_that(bool(issuer), f"the account issues tokens as {issuer}", off)
    if issuer:
        for provider, audience in _providers(facts):
            yield _of_provider(facts, identity.mirror, provider, issuer, audience)


def _issuer(facts: Facts) -> str:
    """Return the URL as which the account issues tokens; empty if it issues none."""
    found = facts.read("iam", "get_outbound_web_identity_federation_info", "FeatureDisabled")
    return str(found.get("IssuerIdentifier", "")) if found.get("JwtVendingEnabled", True) else ""


def _host(url: str) -> str:
    return url.removeprefix("https://")


def _providers(facts: Facts) -> list[tuple[str, str]]:
    """Return each provider that a role at the destination trusts, with the audience of its function, once."""
    found = set()
    for identity in identities(facts.deployment):
        # The check of the function or of its role reports that.
        with suppress(ReportedElsewhere):
            trust = _trust(facts, identity)
            if trust and trust.provider:
                found.add((trust.provider, facts.settings(identity.label)["DEST_TOKEN_AUDIENCE"]))
    return sorted(found)


def _of_provider(facts: Facts, mirror: Mirror, provider: str, issuer: str, audience: str) -> Result:
    arguments = {"OpenIDConnectProviderArn": provider}
    found = facts.read_far(mirror, "iam", "get_open_id_connect_provider", "NoSuchEntity", **arguments)
    if not found:
        return problem(f"the OpenID Connect provider {provider} does not exist", apply(PROVIDER))
    if _host(found["Url"]) != _host(issuer):
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


def _trust(facts: Facts, identity: Identity) -> _Trust | None:
    """Return what the role of a function at the destination trusts; None without a role."""
    name = facts.settings(identity.label).get("DEST_ROLE_ARN", "").rpartition("/")[2]
    found = facts.read_far(identity.mirror, "iam", "get_role", "NoSuchEntity", RoleName=name) if name else None
    return _trust_of(found["Role"]["AssumeRolePolicyDocument"]) if found else None


def _trust_of(policy: str | Mapping[str, Any]) -> _Trust:
    # botocore decodes the policy.
    document = json.loads(policy) if isinstance(policy, str) else policy
    statements = document.get("Statement", [])
    wanted = "sts:AssumeRoleWithWebIdentity"
    statement: dict[str, Any] = next((each for each in statements if wanted in each.get("Action", "")), {})
    equal = statement.get("Condition", {}).get("StringEquals", {})
    conditions = {key: value[0] if isinstance(value, list) else value for key, value in equal.items()}
    return _Trust(str(statement.get("Principal", {}).get("Federated", "")), conditions)


def conditional(facts: Facts, identity: Identity) -> Iterator[Result]:
    """Check that the destination compares before it writes, as far as a read shows it."""
    if facts.settings(identity.label)["DEST_ENDPOINT_URL"]:
        yield _conditional_read(facts, identity.mirror)
    elif facts.far_partition(identity.mirror) == "aws":
        yield ok("Amazon S3 compares before it writes, copies and deletes")
    else:
        # The announcements of conditional copies and deletes do not name the other partitions.
        yield unknown("only a write shows whether S3 in this partition compares before it copies and deletes", PROVE)


def _conditional_read(facts: Facts, mirror: Mirror) -> Result:
    bucket = mirror.destination
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
    Check("access", "whether the mirror's bucket can be listed", writers, access),
    Check(
        "secret", "whether the secret holds a key, without showing it; `mirror_check` uses it too", identities, secret
    ),
    Check(
        "federation", "whether the account issues tokens, and the mirror's account accepts them", writers, federation
    ),
    Check("destination role", "whether the role at the destination trusts the function's token", identities, role),
    Check("conditional requests", "whether the mirror compares before it writes", writers, conditional),
)
