"""`brigade estimate` counts as many requests as the task sends."""

from ops.estimating.requests import Requests, requests_of
from ops.estimating.workload import DEFAULTS, UPLOAD_VALIDATE, Workload
from tests.conftest import session_of_the_tasks
from tests.upload_validate.conftest import UPLOADS, csv_of


def test_estimate_of_a_new_set_equals_the_requests_that_were_counted(task):
    sent, written = [], []

    def note(request, event_name, **_):
        sent.append((UPLOADS in request.url, event_name.rpartition(".")[2]))

    def note_write(event_name, **_):
        written.append(event_name.rpartition(".")[2])

    events = session_of_the_tasks().events
    events.register("before-send.s3", note)
    events.register("before-send.dynamodb", note_write)
    task.run(task.put("a.csv", csv_of()))
    events.unregister("before-send.s3", note)
    events.unregister("before-send.dynamodb", note_write)

    uploads = [operation for at_uploads, operation in sent if at_uploads]
    assert set(uploads) == {"GetObject", "ListObjectsV2"} and set(written) <= {"PutItem", "UpdateItem"}
    counted = Requests(
        uploads.count("GetObject"), uploads.count("ListObjectsV2"), len(sent) - len(uploads), 0, len(written)
    )
    assert requests_of(Workload(UPLOAD_VALIDATE, 2000, DEFAULTS[UPLOAD_VALIDATE])) == counted
