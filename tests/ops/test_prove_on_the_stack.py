"""`brigade prove` against the stack that the project's own Terraform deploys."""

import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import stack
from local.demo import partition_replicate, upload_validate
from local.demo.external_services import KEYS, external_services
from local.demo.mirror import DESTINATION_REGION, SOURCE
from local.terraform import profiles
from ops.cli import main
from ops.commands import prove

ROOT = Path(__file__).parents[2]
ARCHIVES = {"granules": {"extensions": [".hdf"]}, "others": {"extensions": ["other"]}}
MIRROR = "partition_replicate"


@contextmanager
def deployed(folder, monkeypatch):
    """Deploy all tasks; yield the stack and the options of `brigade` that name it."""
    with external_services() as services:
        variables = {
            "package_dir": str(ROOT / "dist"),
            "archive_copy_archives": ARCHIVES,
            **partition_replicate.VARIABLES,
            **upload_validate.variables(services),
        }
        with stack.running(variables, folder=folder / "terraform", prepare=partition_replicate.prepare) as running:
            for name, value in KEYS.items():
                running.aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
            outputs = folder / "outputs.json"
            values = {name: {"value": value} for name, value in running.outputs.items()}
            outputs.write_text(json.dumps(values), encoding="utf-8")
            credentials = running.aws.admin_credentials
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials["aws_access_key_id"])
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials["aws_secret_access_key"])
            monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profiles(running.folder)))
            monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
            yield (
                running,
                [
                    *("--outputs", str(outputs), "--region", running.aws.region),
                    *("--endpoint-url", running.aws.endpoint_url, "--destination-profile", "mirror"),
                ],
            )


def versions(running):
    """Return the keys of all versions and markers in all buckets of the tasks."""
    here = running.aws.client("s3", **running.aws.administrator(running.aws.region))
    there = running.aws.client("s3", **running.aws.administrator(DESTINATION_REGION))
    archives, mirror, uploads = (running.outputs[name] for name in ("archive_copy", MIRROR, "upload_validate"))
    buckets = [(here, name) for name in (SOURCE, archives["source_bucket"], *archives["archive_buckets"].values())]
    buckets += [(here, uploads[f"{kind}_bucket"]) for kind in ("upload", "final", "quarantine")]
    return [
        each["Key"]
        for s3, bucket in [*buckets, (there, mirror["destination_bucket"])]
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for each in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
    ]


def proofs_in(file):
    report = json.loads(file.read_text(encoding="utf-8"))
    return report, {each["promise"]: each for each in report["proofs"]}


@pytest.mark.long
def test_stack_is_proven_and_left_empty_and_a_mapping_that_is_switched_off_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prove, "PAUSE", 0.3)
    file = tmp_path / "report.json"
    with deployed(tmp_path, monkeypatch) as (running, options):
        status = main([*options, "prove", "--notify", "--restore", "--timeout", "240", "--report", str(file)])
        printed = capsys.readouterr().out
        report, proofs = proofs_in(file)
        assert status == 0, printed
        assert {each["outcome"] for each in proofs.values()} == {"ok"}, printed
        assert len(proofs) == 12
        assert report["partition"] == "aws" and len(report["functions"]) == 4
        assert all(len(each["zip_sha256"]) == 44 for each in report["functions"].values())
        keys = [value for name, value in running.aws.admin_credentials.items() if name != "region_name"]
        assert not any(key in file.read_text(encoding="utf-8") for key in keys)
        assert versions(running) == []

        assert main([*options, "prove", "--task", "archive_copy", "--timeout", "120"]) == 0
        assert "the queue gets an event that names a new object" in capsys.readouterr().out
        assert versions(running) == []

        functions = running.aws.client("lambda")
        name = running.outputs[MIRROR]["replicate_function_name"]
        (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        few = ("--objects", "2", "--large", "6MB", "--timeout", "5", "--report", str(file))
        assert main([*options, "prove", "--task", MIRROR, *few]) == 1
        printed = capsys.readouterr().out
        assert f"the event source mapping of {name} is disabled: enable it with `aws lambda update-event" in printed
        _, proofs = proofs_in(file)
        assert proofs["2 small objects are mirrored"]["outcome"] == "failed"
        assert "2 of 2 did not arrive: brigade-prove/" in proofs["2 small objects are mirrored"]["reason"]
        assert versions(running) == []
