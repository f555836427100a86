"""The demo left running, for use with the AWS CLI."""

import shlex
import signal
from contextlib import suppress

from local import terraform
from local.demo.archive_copy import LEFT_FROZEN
from local.demo.lines import fields
from local.demo.mirror import DESTINATION_REGION
from local.demo.screen import Screen
from local.stack import Stack
from tasks.utils.s3_object import printable


def keep_up(stack: Stack, screen: Screen) -> None:
    """Print commands for the AWS CLI and the results of the functions, until Ctrl-C.

    Args:
        stack: The running stack.
        screen: The output.
    """
    archive, mirror = stack.outputs["archive_copy"], stack.outputs["partition_replicate"]
    bucket, key = archive["source_bucket"], LEFT_FROZEN.key
    documents = archive["archive_buckets"]["documents"]
    screen.title("It stays up until Ctrl-C. For the AWS CLI in another terminal:")
    credentials = stack.aws.admin_credentials
    environment = {
        "AWS_ENDPOINT_URL": stack.aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": credentials["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": credentials["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": stack.aws.region,
        # Terraform reads the profile of the destination's partition here.
        "AWS_SHARED_CREDENTIALS_FILE": str(terraform.profiles(stack.folder)),
    }
    screen.say("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION")
    for name, value in environment.items():
        screen.say(f"export {name}={value}")
    screen.say("")
    screen.say(f"aws s3 ls --recursive s3://{bucket}")
    screen.say(f"aws s3api restore-object --bucket {bucket} --key {shlex.quote(key)} --restore-request Days=1")
    screen.say(f"aws s3 cp {shlex.quote(f's3://{documents}/{key}')} -")
    # Version 1 of the AWS CLI ignores AWS_ENDPOINT_URL for SQS only.
    options = f"--queue-url {archive['dead_letter_queue_url']} --message-attribute-names All --visibility-timeout 0"
    screen.say(f'aws sqs receive-message --endpoint-url "$AWS_ENDPOINT_URL" {options}')
    screen.say("")
    screen.say(f"aws s3 cp README.md s3://{mirror['source_bucket']}/")
    screen.say(f"aws s3 ls --recursive s3://{mirror['destination_bucket']} --region {DESTINATION_REGION}")
    screen.say("")
    screen.say(f"cd {shlex.quote(str(stack.folder.resolve()))}")
    screen.say("terraform plan")
    stack.functions.on_log = lambda _, line: _show(screen, line)
    with suppress(KeyboardInterrupt):
        while True:
            signal.pause()
    stack.functions.on_log = None
    screen.say("stopped; nothing is left running")


def _show(screen: Screen, line: str) -> None:
    record = fields(line)
    if "key" in record:
        screen.say(f"{record['message']}  {printable(record['key'])}  {record.get('destination') or ''}")
