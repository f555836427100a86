import gc
import os
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError

from tasks.object_clerk.transport import clients


def test_first_client_looks_into_the_folder_of_its_service_alone(monkeypatch):
    looked, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: looked.append(Path(path).name) or listdir(path))
    clients.new_session().create_client("s3", region_name="eu-west-1")
    assert "s3" in looked
    assert "sqs" not in looked


def test_session_knows_the_services_that_botocore_knows_and_no_other():
    assert set(botocore.session.Session().get_available_services()) <= set(
        clients.new_session().get_available_services()
    )
    with pytest.raises(UnknownServiceError, match="Unknown service: 's4'"):
        clients.new_session().create_client("s4", region_name="eu-west-1")


def test_session_reads_descriptions_of_the_users_folder_too(monkeypatch, tmp_path):
    (tmp_path / "own-service").mkdir()
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert "own-service" in clients.new_session().get_available_services()


def test_a_client_is_made_without_collecting_garbage_again_and_again():
    session, phases = clients.new_session(), []

    def note(phase, _):
        phases.append(phase)

    thresholds = gc.get_threshold()
    # Python's own.
    gc.set_threshold(700, 10, 10)
    gc.callbacks.append(note)
    try:
        clients.client("s3", of=session, region_name="eu-west-1")
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*thresholds)
    # Without the pause there are fifty.
    assert phases.count("start") < 10
    assert gc.isenabled()
