"""Checks of what only uploads need: senders of e-mail, and the entries that hold keys."""

from __future__ import annotations

from collections.abc import Iterator

from ops.deployment import Deployment
from ops.doctor.checkup import Check
from ops.doctor.commands import aws
from ops.doctor.facts import Facts
from ops.doctor.findings import Result, check_that, ok, problem, warning
from ops.doctor.names import ENTRY_SETTINGS, SECRETS, SSM
from ops.doctor.subjects import Function, functions

# The quota of an account in the sandbox of SES (Amazon SES Developer Guide, "Request production access").
SANDBOX_MESSAGES = 200


def senders(deployment: Deployment) -> Iterator[Function]:
    """Yield the functions that send e-mail."""
    yield from (each for each in functions(deployment) if each.kind == "upload_validate")


def mail(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that SES accepts the sender and the recipient of the reports."""
    settings = facts.settings(function.label)
    sender, recipient = settings.get("SENDER_EMAIL", ""), settings.get("ERROR_REPORT_EMAIL", "")
    if not recipient:
        yield ok("it sends no e-mail")
        return
    yield _verified(facts, sender, problem(f"SES has not verified the sender {sender}", _verify(facts, sender)))
    if facts.read("ses", "get_send_quota")["Max24HourSend"] <= SANDBOX_MESSAGES:
        text = f"SES is in its sandbox, and has not verified the recipient {recipient}"
        yield _verified(facts, recipient, warning(text, _verify(facts, recipient)))


def _verified(facts: Facts, address: str, otherwise: Result) -> Result:
    identities = [address, address.rpartition("@")[2]]
    found = facts.read("ses", "get_identity_verification_attributes", Identities=identities)["VerificationAttributes"]
    verified = any(each["VerificationStatus"] == "Success" for each in found.values())
    return check_that(verified, f"SES has verified {address}", otherwise)


def _verify(facts: Facts, address: str) -> str:
    return aws("ses", "verify-email-identity", email_address=address, region=facts.region)


def entries(facts: Facts, function: Function) -> Iterator[Result]:
    """Check that the entries that the settings name exist. No value is read."""
    settings = facts.settings(function.label)
    for setting in ENTRY_SETTINGS:
        name = settings.get(setting, "")
        if name.startswith(SECRETS):
            yield _secret(facts, setting, name.removeprefix(SECRETS).partition("#")[0])
        elif name.startswith((SSM, "/")):
            yield _parameter(facts, setting, name.removeprefix(SSM))


def _secret(facts: Facts, setting: str, name: str) -> Result:
    found = facts.read("secretsmanager", "describe_secret", "ResourceNotFoundException", SecretId=name)
    command = aws(*("secretsmanager", "create-secret"), name=name, secret_string="file://key", region=facts.region)
    missing = problem(f"{setting} names the secret {name}, which does not exist", command)
    if found.get("DeletedDate"):
        restore = aws("secretsmanager", "restore-secret", secret_id=name, region=facts.region)
        return problem(f"{setting} names the secret {name}, which is being deleted", restore)
    return check_that(bool(found), f"{setting} names the secret {name}", missing)


def _parameter(facts: Facts, setting: str, name: str) -> Result:
    filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    found = facts.read("ssm", "describe_parameters", ParameterFilters=filters)["Parameters"]
    command = aws(*("ssm", "put-parameter"), name=name, type="SecureString", value="file://key", region=facts.region)
    missing = problem(f"{setting} names the parameter {name}, which does not exist", command)
    return check_that(bool(found), f"{setting} names the parameter {name}", missing)


CHECKS = (
    Check("mail", "whether SES accepts the sender, and in its sandbox the recipient", senders, mail),
    Check("entries", "whether the entries that hold keys exist", functions, entries),
)
