import json

import pytest

from ops.aws import Account
from ops.deployment import Deployment
from ops.discovery import from_file, from_tags, from_terraform
from ops.errors import OpsError
from ops.letter_queues import letter_queues
from tests.ops.conftest import NAME, REGION, function, queue_pair

STATE = {"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "x", "resources": []}


def test_tags_give_the_same_deployment_as_the_outputs(outputs, outputs_file):
    by_tags = Deployment.of(*from_tags(Account(REGION), NAME))
    assert by_tags.tasks == Deployment.of(*from_file(outputs_file)).tasks
    assert [task.name for task in by_tags.tasks] == ["archive_copy", "partition_replicate", "upload_validate"]
    assert by_tags.mirrors[0].fifo_queue == outputs["partition_replicate"]["queue_url"]


def test_scheduled_check_is_found_by_its_tag_as_in_the_outputs(aws, outputs):
    queue, letters = queue_pair(aws.client("sqs"), f"{NAME}-mirror-check", fifo=True)
    function(aws, f"{NAME}-mirror-check", {"WORK_QUEUE": queue, "DEAD_LETTER_QUEUE": letters})
    undelivered = outputs["partition_replicate"]["undelivered_queue_url"]
    output = {"function_name": f"{NAME}-mirror-check", "queue_url": queue, "dead_letter_queue_url": letters}
    output["undelivered_queue_url"] = undelivered
    by_tags = Deployment.of(*from_tags(Account(REGION), NAME))
    assert by_tags == Deployment.of({**outputs, "mirror_check": output}, by_tags.where)
    (check,) = by_tags.checks
    found = [(each.kind, each.work, each.url) for each in letter_queues(by_tags.all_tasks) if each.task == check.name]
    assert found == [("runs", queue, letters)]


def test_bucket_map_in_a_parameter_is_read(aws, outputs, outputs_file):
    text = json.dumps(outputs["archive_copy"]["bucket_map"])
    aws.client("ssm").put_parameter(Name="/map", Value=text, Type="String")
    functions = aws.client("lambda")
    name = outputs["archive_copy"]["function_name"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    changed = {"Variables": {**variables, "bucket_map": "ssm:/map"}}
    functions.update_function_configuration(FunctionName=name, Environment=changed)

    assert Deployment.of(*from_tags(Account(REGION), NAME)).tasks == Deployment.of(*from_file(outputs_file)).tasks


@pytest.mark.usefixtures("outputs")
def test_unknown_deployment_names_those_of_the_region():
    with pytest.raises(OpsError, match=f"no function in {REGION} has the tag .*=other; the deployments .*: {NAME}$"):
        from_tags(Account(REGION), "other")


def test_terraform_gives_the_outputs_of_its_state(tmp_path, outputs):
    values = {name: {"value": value, "type": "dynamic"} for name, value in outputs.items()}
    typed = {name: {**each, "type": "string", "value": json.dumps(each["value"])} for name, each in values.items()}
    (tmp_path / "terraform.tfstate").write_text(json.dumps({**STATE, "outputs": typed}), encoding="utf-8")

    found, where = from_terraform(tmp_path)

    assert {name: json.loads(text) for name, text in found.items()} == outputs
    assert where == str(tmp_path)


def test_disabled_task_is_left_out(outputs):
    deployment = Deployment.of({**outputs, "partition_replicate": None}, "here")
    assert [task.name for task in deployment.tasks] == ["archive_copy", "upload_validate"]


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"a": 1}', '{"archive_copy": {"value": {}}}', "{}"])
def test_file_of_another_form_is_refused_by_name(tmp_path, text):
    (tmp_path / "other.json").write_text(text, encoding="utf-8")
    with pytest.raises(OpsError, match=r"other\.json"):
        Deployment.of(*from_file(tmp_path / "other.json"))
