"""The demo left running, for use with the AWS CLI and Terraform."""

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import suppress

from local import terraform
from local.demo import archive_copy, results, upload_validate
from local.demo.external_services import ExternalServices
from local.demo.lines import fields
from local.demo.mirror import DESTINATION_REGION
from local.demo.screen import Screen
from local.stack import Stack

# Version 1 of the AWS CLI ignores AWS_ENDPOINT_URL for SQS: https://github.com/aws/aws-cli/issues/8737. Both versions
# accept the option, before the service.
AWS_FUNCTION = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }'

# Sets of their own, so that the hints do not change what the demo has shown.
UPLOADED = "E07000223/2026-05-07/2026-03-05T09:00:00Z/"
REJECTED = "E07000223/2026-05-07/2026-03-05T10:00:00Z/"
MALFORMED = "no-such-folder/"


def keep_up(stack: Stack, services: ExternalServices, screen: Screen) -> None:
    """Print commands to paste, and then the results of the functions, until Ctrl-C.

    Args:
        stack: The running stack.
        services: The services outside AWS.
        screen: The output.
    """
    screen.title("It stays up until Ctrl-C. In another terminal, paste this first, for version 1 or 2 of the AWS CLI:")
    for line in environment(stack):
        screen.say(line)
    for title, commands in hints(stack).items():
        screen.say("")
        screen.title(title)
        for command in commands:
            screen.say(command)
    screen.say("")
    screen.title("Results of all tasks from now on:")
    show = screen.rows(results.HEADINGS)

    def show_line(_: str, line: str) -> None:
        for cells, colour in results.rows_of(fields(line), services):
            show(cells, colour=colour)

    stack.functions.on_log = show_line
    with suppress(KeyboardInterrupt):
        while True:
            signal.pause()
    stack.functions.on_log = None
    screen.say("stopped; nothing is left running")


def environment(stack: Stack) -> Iterator[str]:
    """Yield the commands that direct the AWS CLI, boto3 and Terraform to the embedded AWS."""
    credentials = stack.aws.admin_credentials
    variables = {
        "AWS_ENDPOINT_URL": stack.aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": credentials["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": credentials["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": stack.aws.region,
        # Terraform reads the profile of the destination's partition here.
        "AWS_SHARED_CREDENTIALS_FILE": str(terraform.profiles(stack.folder)),
        # Settings of the user's own profiles do not belong to this AWS.
        "AWS_CONFIG_FILE": os.devnull,
        # Version 2 shows results in a pager.
        "AWS_PAGER": "",
    }
    yield "unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_REGION"
    for name, value in variables.items():
        yield f"export {name}={shlex.quote(value) if value else ''}"
    yield AWS_FUNCTION


def hints(stack: Stack) -> dict[str, list[str]]:
    """Return the commands to try, by what they show."""
    outputs = stack.outputs
    archive, mirror, uploads = (outputs[name] for name in ("archive_copy", "partition_replicate", "upload_validate"))
    frozen, documents = archive["source_bucket"], archive["archive_buckets"]["documents"]
    by_hand = archive_copy.LEFT_FROZEN.key
    good = upload_validate.STEPS[0].prefix
    restore = f"aws s3api restore-object --bucket {frozen} --restore-request Days=1 --key"
    return {
        "archive_copy: restore a frozen object, and one whose extension has no archive": [
            f"{restore} {shlex.quote(by_hand)}",
            f"printf 'no archive' | aws s3 cp - s3://{frozen}/pictures/unmapped.png --storage-class GLACIER",
            f"{restore} pictures/unmapped.png",
            f"aws s3 cp {shlex.quote(f's3://{documents}/{by_hand}')} -",
        ],
        "archive_copy: the dead letters, each with its reason": [
            f"aws sqs receive-message --queue-url {archive['dead_letter_queue_url']} --max-number-of-messages 10"
            " --message-attribute-names All --visibility-timeout 0 --output text"
            " --query 'Messages[].[MessageAttributes.Reason.StringValue, Body]'"
        ],
        "partition_replicate: write an object, and list the mirror": [
            f"printf 'by hand' | aws s3 cp - s3://{mirror['source_bucket']}/by-hand.txt",
            f"aws s3 ls --recursive s3://{mirror['destination_bucket']} --region {DESTINATION_REGION}",
        ],
        "upload_validate: upload a good set, a wrong one, and one under a prefix of another form": [
            f"aws s3 cp s3://{uploads['final_bucket']}/{good}stations.csv"
            f" s3://{uploads['upload_bucket']}/{UPLOADED}stations.csv",
            f"printf 'houseid,station\\n1\\n' | aws s3 cp - s3://{uploads['upload_bucket']}/{REJECTED}short.csv",
            f"printf 'houseid' | aws s3 cp - s3://{uploads['upload_bucket']}/{MALFORMED}stations.csv",
            f"aws s3 ls --recursive s3://{uploads['final_bucket']}",
        ],
        "Terraform: its configuration and state are in this folder; the commands of docs/operations.md run there too": [
            f"cd {shlex.quote(str(stack.folder.resolve()))}",
            "terraform output",
            "terraform plan",
        ],
    }
