"""The types of errors: README.md lists those that differ from the framework's."""

import re

import pytest
from opentaskpy import exceptions
from opentaskpy.remotehandlers.local import LocalTransfer
from opentaskpy.taskhandlers.transfer import Transfer

from tasks.object_clerk import BucketNotFoundException, SettingsError
from tasks.otf_addons.s3_handlers import S3Transfer
from tests.otf_addons.conftest import moto_store
from tests.otf_addons.definitions import destination, local, source, touch, transfer


@pytest.fixture(name="inbox")
def bucket_with_a_file(aws):
    store = moto_store(aws, "inbox")
    store.put("src/a.txt", b"a")
    return store


def run(definition):
    """Run a transfer as the framework does, and as a program that imports the framework may do."""
    return Transfer({}, "task", definition).run()


def test_transfer_without_files_ends_with_the_type_of_the_framework(inbox):
    with pytest.raises(exceptions.FilesDoNotMeetConditionsError):
        run(transfer(source(inbox.bucket, directory="none"), destination(inbox.bucket)))


def test_watch_that_ends_without_files_ends_with_the_type_of_the_framework(inbox):
    with pytest.raises(exceptions.RemoteFileNotFoundError):
        run(transfer(source(inbox.bucket, directory="none", fileWatch={"timeout": 1})))


def test_copy_that_fails_ends_with_the_type_of_the_framework(inbox, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(exceptions.RemoteTransferError):
        run(transfer(source(inbox.bucket), destination("absent-bucket")))


def test_bucket_that_cannot_be_listed_is_an_error_of_the_clerk_and_no_empty_directory(inbox, tmp_path):
    with pytest.raises(BucketNotFoundException, match="list_objects_v2 s3://absent-bucket/src"):
        run(transfer(source("absent-bucket"), destination(inbox.bucket)))
    absent_folder = {**local(tmp_path / "absent"), "task_id": "task"}
    assert not LocalTransfer(absent_folder).list_files(str(tmp_path / "absent"), ".*")


def test_wrong_definition_is_a_settings_error_before_the_first_request(tmp_path):
    wrong = {**source("inbox", directroy="x"), "task_id": "task"}
    with pytest.raises(SettingsError, match="there is no option directroy"):
        S3Transfer(wrong)
    LocalTransfer({**local(tmp_path, directroy="x"), "task_id": "task"})
    with pytest.raises(SettingsError, match="is no regular expression"):
        S3Transfer({**source("inbox", fileRegex="("), "task_id": "task"})
    (tmp_path / "a.txt").touch()
    with pytest.raises(re.error):
        LocalTransfer({**local(tmp_path), "task_id": "task"}).list_files(str(tmp_path), "(")


@pytest.mark.usefixtures("aws")
def test_execution_that_fails_raises_nothing():
    handler = S3Transfer({**touch("absent-bucket", "flag"), "task_id": "task"})
    assert handler.execute() is False
