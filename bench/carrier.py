"""`python -m bench.carrier NAME upload|download`: transfer one object as the named contestant does."""

# Imports are in the functions, so that a process loads only the packages of its own contestant; object_clerk is on the
# path of its own process only.
# pylint: disable=import-outside-toplevel,import-error

import os
import sys

from bench.transfers import BOTO3, BUCKET, KEY, OBJECT_CLERK, OURS


def _ours(direction: str, file: str) -> None:
    from tasks.object_clerk import ObjectClerk

    clerk = ObjectClerk(*_server(), *_keys(), 1, 1, 0, 5, 3)
    if direction == "upload":
        clerk.upload_object(file, BUCKET, KEY)
    else:
        clerk.download_object(BUCKET, KEY, file)


def _boto3(direction: str, file: str) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url="http://" + ":".join(map(str, _server())))
    if direction == "upload":
        client.upload_file(file, BUCKET, KEY)
    else:
        client.download_file(BUCKET, KEY, file)


def _object_clerk(direction: str, file: str) -> None:
    from object_clerk import ObjectClerk

    clerk = ObjectClerk(*_server(), *_keys(), 1, 1, 0, 5, 3)
    if direction == "upload":
        clerk.upload_object(file, BUCKET, KEY)
    else:
        with open(file, "wb") as target:
            target.write(clerk.get_object(BUCKET, KEY))


def _server() -> tuple[str, int]:
    return os.environ["BENCH_HOST"], int(os.environ["BENCH_PORT"])


def _keys() -> tuple[str, str]:
    return os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


if __name__ == "__main__":
    {OURS: _ours, BOTO3: _boto3, OBJECT_CLERK: _object_clerk}[sys.argv[1]](sys.argv[2], os.environ["BENCH_FILE"])
