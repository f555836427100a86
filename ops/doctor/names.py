"""The names in the templates of `needs.py`, with the values that a deployed function gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ops.deployment import AnyTask, ArchiveCopy, Mirror, MirrorCheck, UploadValidate
from ops.doctor.subjects import Function, Identity, name_of

# The settings of all functions that may name an entry.
ENTRY_SETTINGS = ("GITHUB_API_KEY", "WDIV_WEBHOOK_URL", "WDIV_API_KEY", "SENTRY_DSN", "bucket_map")
SSM, SECRETS = "ssm:", "secretsmanager:"

# An ARN of Secrets Manager ends with six characters that AWS adds.
ANY_ENDING = "-??????"


def names_of(function: Function, configuration: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """Return name -> values.

    Args:
        function: the function.
        configuration: its configuration, as Lambda returns it.
    """
    settings = configuration.get("Environment", {}).get("Variables", {})
    partition, region, account = _place(configuration["FunctionArn"])

    def queue(url: str) -> str:
        return f"arn:{partition}:sqs:{region}:{account}:{name_of(url)}"

    return {
        **{name: [value] for name, value in settings.items()},
        **_of_task(function.task, settings),
        **_entries(settings, f"arn:{partition}:secretsmanager:{region}:{account}:secret:"),
        **{"partition": [partition], "region": [region], "account": [account]},
        "log_group": [configuration["LoggingConfig"]["LogGroup"]],
        "key": _given(configuration.get("KMSKeyArn")),
        "queue": [queue(function.queue.url)],
        "on_failure": [queue(function.on_failure)],
        "dead_letters": [queue(function.queue.dead_letters)],
        "keys_queue": [queue(function.task.queues[0].url)],
        "recheck_queue": [queue(function.task.queues[-1].url)],
        "table": [f"arn:{partition}:dynamodb:{region}:{account}:table/{_table(function.task, settings)}"],
        "objects_queue": [queue(url) for url in _given(settings.get("OBJECTS_QUEUE"))],
        "objects_letters": [queue(url) for url in json.loads(settings.get("OBJECTS_DEAD_LETTER_QUEUES", "[]"))],
        "read_keys": [],
        "write_keys": [],
    }


def names_of_destination(
    identity: Identity, configuration: Mapping[str, Any], partition: str, key: str | None
) -> dict[str, Sequence[str]]:
    """Return name -> values for a function's identity at the destination.

    Args:
        identity: the identity.
        configuration: the configuration of its function, as Lambda returns it.
        partition: the partition of the destination.
        key: the key of KMS with which the mirror is written; empty or None without one.
    """
    names = names_of(identity.function, configuration)
    return {**names, "partition": [partition], "mirror": [identity.mirror.destination], "mirror_key": _given(key)}


def _place(arn: str) -> tuple[str, str, str]:
    _, partition, _, region, account, _ = arn.split(":", 5)
    return partition, region, account


def _table(task: AnyTask, settings: Mapping[str, str]) -> str:
    return settings.get("OBJECTS_TABLE", "") if isinstance(task, MirrorCheck) else getattr(task, "table", "")


def _of_task(task: AnyTask, settings: Mapping[str, str]) -> dict[str, Sequence[str]]:
    if isinstance(task, ArchiveCopy):
        return {"source": [task.source], "archives": task.archives}
    if isinstance(task, Mirror | MirrorCheck):
        tokens = ["*"] if settings.get("DEST_ROLE_ARN") else []
        audience = _given(settings.get("DEST_TOKEN_AUDIENCE"))
        return {"source": [settings["SOURCE_BUCKET"]], "token": tokens, "audience": audience}
    return _of_uploads(task, settings)


def _of_uploads(task: UploadValidate, settings: Mapping[str, str]) -> dict[str, Sequence[str]]:
    sender = settings.get("SENDER_EMAIL", "") if settings.get("ERROR_REPORT_EMAIL") else ""
    return {
        "uploads": [task.uploads],
        "written": _given(task.final, task.quarantine),
        "senders": [sender, sender.partition("@")[2]] if sender else [],
        "table_schema": re.findall(r"^s3://(.+)$", settings.get("TABLE_SCHEMA", "")),
    }


def _entries(settings: Mapping[str, str], secret: str) -> dict[str, Sequence[str]]:
    """Return the parameters, without their first slash, and the ARNs of the secrets."""
    named = [settings.get(setting, "") for setting in ENTRY_SETTINGS]
    secrets = [name.removeprefix(SECRETS).partition("#")[0] for name in named if name.startswith(SECRETS)]
    return {
        "parameters": [name.removeprefix(SSM).lstrip("/") for name in named if name.startswith((SSM, "/"))],
        "secrets": [*(f"{secret}{name}{ANY_ENDING}" for name in secrets), *_given(settings.get("DEST_SECRET"))],
    }


def _given(*values: str | None) -> list[str]:
    return [value for value in values if value]
