"""Each task has all of its pieces."""

from pathlib import Path

import pytest

from tests.support.task_pieces import lacking, lambda_tasks

ROOT = Path(__file__).parent.parent


def test_tasks_are_found():
    assert {"archive_copy", "partition_replicate", "upload_validate"} <= set(lambda_tasks(ROOT))


@pytest.mark.parametrize("task", lambda_tasks(ROOT))
def test_task_has_all_of_its_pieces(task):
    if sentences := lacking(ROOT, task):
        pytest.fail("\n".join(sentences), pytrace=False)
