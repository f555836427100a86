"""A transfer handler without the framework, and what several tests give it."""

from tasks.otf_addons.s3_handlers import S3Transfer

MIB = 1024 * 1024
DELETE = {"postCopyAction": {"action": "delete"}}


def handler(definition):
    return S3Transfer({**definition, "task_id": "task"})
