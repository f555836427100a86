"""A stand-in for the AWS CLI: `python -m tests.support.aws_cli SERVICE COMMAND --option value ...`.

It names commands and options by botocore's own rules, as the AWS CLI does, and refuses unknown ones. It reads and
writes objects with `s3 cp` and lists them with `s3 ls`. So the tests do not need the AWS CLI itself.
"""

import argparse
import json
import sys
from pathlib import Path

import boto3
import jmespath
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

# Services that the AWS CLI names otherwise than botocore.
SERVICES = {"s3api": "s3"}

# Exit statuses of the AWS CLI after a wrong command line, and after an error of the service.
USAGE_ERROR, SERVICE_ERROR = 252, 254


def main(arguments):
    parser = argparse.ArgumentParser(prog="aws", allow_abbrev=False)
    parser.add_argument("service")
    parser.add_argument("command")
    for name in ("--endpoint-url", "--region", "--profile", "--query"):
        parser.add_argument(name)
    parser.add_argument("--output", choices=("json", "text"), default="json")
    known, rest = parser.parse_known_args(arguments)
    try:
        session = boto3.Session(profile_name=known.profile, region_name=known.region)
        if known.service == "s3":
            return _s3(session.client("s3", endpoint_url=known.endpoint_url), known.command, rest)
        service = SERVICES.get(known.service, known.service)
        if service == "sqs" and not known.endpoint_url:
            raise ValueError("version 1 of the AWS CLI ignores AWS_ENDPOINT_URL for SQS; use --endpoint-url")
        client = session.client(service, endpoint_url=known.endpoint_url)
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


def _s3(client, command, arguments):
    parser = argparse.ArgumentParser(prog=f"aws s3 {command}", allow_abbrev=False)
    parser.add_argument("--recursive", action="store_true")
    parser.add_argument("--storage-class")
    parser.add_argument("places", nargs="+")
    options = parser.parse_args(arguments)
    if command == "ls":
        for found in client.list_objects_v2(**_address(options.places[0], listed=True)).get("Contents", []):
            print(found["LastModified"], found["Size"], found["Key"])
        return 0
    source, destination = options.places
    body = sys.stdin.buffer.read() if source == "-" else client.get_object(**_address(source))["Body"].read()
    if destination == "-":
        sys.stdout.buffer.write(body)
    else:
        more = {"StorageClass": options.storage_class} if options.storage_class else {}
        client.put_object(**_address(destination), Body=body, **more)
    return 0


def _address(url, *, listed=False):
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Prefix" if listed else "Key": key}


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
            option["type"] = _structure
        elif shape.serialization.get("streaming"):
            option["type"] = lambda path: Path(path).read_bytes()
        parser.add_argument(f"--{xform_name(name, '-')}", **option)
    if operation.has_streaming_output:
        parser.add_argument("outfile", type=Path)
    return parser


def _structure(text):
    if text.startswith("{"):
        return json.loads(text)
    # The shorthand of the AWS CLI, without nesting.
    pairs = (pair.partition("=") for pair in text.split(","))
    return {name: int(value) if value.isdecimal() else value for name, _, value in pairs}


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
        for row in found if isinstance(found, list) and all(isinstance(each, list) for each in found) else [found]:
            print("\t".join(map(str, row)) if isinstance(row, list) else row)
    elif found != {}:
        print(json.dumps(found, indent=4, default=str))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
