"""A stand-in for the AWS CLI: `python -m tests.support.aws_cli SERVICE COMMAND --option value ...`.

It names commands and options by botocore's own rules, as the AWS CLI does, and refuses unknown ones. The tests do not
need the AWS CLI itself: version 1 ignores AWS_ENDPOINT_URL for SQS, and version 2 is not on PyPI.
"""

import argparse
import json
import sys
from pathlib import Path

import boto3
import jmespath
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

# Exit statuses of the AWS CLI after a wrong command line, and after an error of the service.
USAGE_ERROR, SERVICE_ERROR = 252, 254


def main(arguments):
    parser = argparse.ArgumentParser(prog="aws", allow_abbrev=False)
    parser.add_argument("service")
    parser.add_argument("command")
    for name in ("--region", "--profile", "--query"):
        parser.add_argument(name)
    parser.add_argument("--output", choices=("json", "text"), default="json")
    known, rest = parser.parse_known_args(arguments)
    try:
        service = {"s3api": "s3"}.get(known.service, known.service)
        client = boto3.Session(profile_name=known.profile, region_name=known.region).client(service)
        operation = _operation(client, known.command)
        options = _options_parser(operation).parse_args(rest)
        outfile = vars(options).pop("outfile", None)
        asked = {name: _value(value) for name, value in vars(options).items() if value is not None}
        answer = getattr(client, xform_name(operation.name))(**asked)
    except ClientError as error:
        print(error, file=sys.stderr)
        return SERVICE_ERROR
    except (BotoCoreError, LookupError, ValueError) as error:
        print(f"aws: {error}", file=sys.stderr)
        return USAGE_ERROR
    _show(answer, known, outfile)
    return 0


def _operation(client, command):
    model = client.meta.service_model
    names = {xform_name(name, "-"): name for name in model.operation_names}
    return model.operation_model(names[command])


def _options_parser(operation):
    parser = argparse.ArgumentParser(prog=f"aws {operation.name}", allow_abbrev=False)
    shapes = operation.input_shape.members if operation.input_shape else {}
    for name, shape in shapes.items():
        option = {"dest": name}
        if shape.type_name == "boolean":
            option["action"] = argparse.BooleanOptionalAction
        elif shape.type_name == "list":
            option["nargs"] = "+"
        elif shape.type_name in ("integer", "long"):
            option["type"] = int
        elif shape.type_name in ("structure", "map"):
            option["type"] = json.loads
        elif shape.serialization.get("streaming"):
            option["type"] = lambda path: Path(path).read_bytes()
        parser.add_argument(f"--{xform_name(name, '-')}", **option)
    if operation.has_streaming_output:
        parser.add_argument("outfile", type=Path)
    return parser


def _value(value):
    """Return the value of an option: the content of the file if it names one."""
    if isinstance(value, str) and value.startswith("fileb://"):
        return Path(value.removeprefix("fileb://")).read_bytes()
    if isinstance(value, str) and value.startswith("file://"):
        return Path(value.removeprefix("file://")).read_text(encoding="utf-8")
    return value


def _show(answer, known, outfile):
    del answer["ResponseMetadata"]
    if outfile:
        streamed = next(name for name, value in answer.items() if hasattr(value, "read"))
        outfile.write_bytes(answer.pop(streamed).read())
    found = jmespath.search(known.query, answer) if known.query else answer
    if known.output == "text":
        print("\t".join(map(str, found)) if isinstance(found, list) else found)
    elif found != {}:
        print(json.dumps(found, indent=4, default=str))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
