"""Configurations from the documentation of this kind of add-on, word for word except for buckets and keys."""

import json

import pytest

from tests.otf_addons.functions import Function, function_of

FILE_WATCH_ONLY = """{
"type": "transfer",
"source": {
  "bucket": "INBOX",
  "fileWatch": {
    "timeout": 15,
    "directory": "src",
    "fileRegex": ".*\\\\.txt"
  },
  "protocol": {
    "name": "opentaskpy.addons.aws.remotehandlers.s3.S3Transfer"
  }
}
}"""

DOWNLOAD = """{
"type": "transfer",
"source": {
  "bucket": "INBOX",
  "directory": "src",
  "fileRegex": ".*\\\\.txt",
  "protocol": {
    "name": "opentaskpy.addons.aws.remotehandlers.s3.S3Transfer"
  }
},
"destination": [ { "directory": "FOLDER", "protocol": { "name": "local" } } ]
}"""

DOWNLOAD_WITH_KEYS = DOWNLOAD.replace(
    """S3Transfer"
""",
    """S3Transfer",
    "access_key_id": "KEY_ID",
    "secret_access_key": "SECRET",
    "region_name": "eu-west-1"
""",
)

UPLOAD = """{
"type": "transfer",
"source": { "directory": "FOLDER", "fileRegex": ".*", "protocol": { "name": "local" } },
"destination": [
    {
        "bucket": "INBOX",
        "directory": "dest",
        "protocol": {
          "name": "opentaskpy.addons.aws.remotehandlers.s3.S3Transfer"
        }
    }
]
}"""

# The only example that is not valid JSON in print: a comma is missing after the flag.
UPLOAD_WITH_FLAG = """{
"type": "transfer",
"source": { "directory": "FOLDER", "fileRegex": ".*", "protocol": { "name": "local" } },
"destination": [
    {
        "bucket": "INBOX",
        "directory": "dest",
        "flag": {
          "fullPath": "dest/some_fin.flg"
        },
        "protocol": {
          "name": "opentaskpy.addons.aws.remotehandlers.s3.S3Transfer"
        }
    }
]
}"""

TOUCH = """{
  "type": "execution",
  "bucket": "INBOX",
  "key": "test_key.flg",
  "protocol": {
    "name": "opentaskpy.addons.aws.remotehandlers.s3.S3Transfer"
  }
}"""

CALL = """{
  "type": "execution",
  "functionArn": "ARN",
  "invocationType": "Event",
  "payload": {
    "file-name": "some_file.txt"
  },
  "protocol": {
    "name": "opentaskpy.addons.aws.remotehandlers.lambda.LambdaExecution"
  }
}"""


@pytest.fixture(name="folder")
def folder_of_this_machine(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture(name="run")
def run_an_example(framework, inbox, folder):
    def run(example):
        text = example.replace("INBOX", inbox.bucket).replace("FOLDER", str(folder))
        text = text.replace("KEY_ID", inbox.keys["aws_access_key_id"])
        text = text.replace("SECRET", inbox.keys["aws_secret_access_key"])
        ran = framework.run(text)
        assert ran.ok, ran.said

    return run


def test_example_of_a_file_watch(run, inbox):
    inbox.put("src/a.txt", b"a")
    run(FILE_WATCH_ONLY)


@pytest.mark.parametrize("example", [DOWNLOAD, DOWNLOAD_WITH_KEYS], ids=["plain", "with keys"])
def test_example_of_a_download(run, inbox, folder, example):
    inbox.put("src/a.txt", b"a")
    inbox.put("src/b.csv", b"b")
    run(example)
    assert [file.name for file in folder.iterdir()] == ["a.txt"]


def test_example_of_an_upload(run, inbox, folder):
    (folder / "a.txt").write_bytes(b"a")
    run(UPLOAD)
    assert inbox.bytes_of("dest/a.txt") == b"a"


def test_example_of_an_upload_with_a_flag(run, inbox, folder):
    (folder / "a.txt").write_bytes(b"a")
    run(UPLOAD_WITH_FLAG)
    assert inbox.keys_of() == ["dest/a.txt", "dest/some_fin.flg"]


def test_example_of_a_touched_file(run, inbox):
    run(TOUCH)
    assert inbox.bytes_of("test_key.flg") == b""


def test_example_of_a_function_call(aws, framework):
    aws.lambda_invoker = Function()
    assert framework.run(CALL.replace("ARN", function_of(aws))).ok
    ((_, kind, payload),) = aws.lambda_invoker.calls
    assert (kind, json.loads(payload)) == ("Event", {"file-name": "some_file.txt"})
