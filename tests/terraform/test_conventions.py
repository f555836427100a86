"""Conventions of terraform/, checked in its files without Terraform."""

import re
from pathlib import Path

import hcl2
import pytest

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "terraform"
TASKS = sorted(handler.parent.name for handler in ROOT.glob("tasks/*/handler.py"))
# The parts of the root module that have a file of their own: each task, and the build.
PARTS = sorted([*TASKS, "build"])
MODULES = [TERRAFORM, *sorted((TERRAFORM / "modules").iterdir())]
FILES = [file for module in MODULES for file in sorted(module.glob("*.tf")) if not file.name.endswith("_override.tf")]

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TERRAFORM)))
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


def blocks(file, kind):
    """Return the blocks of one kind in a file: name -> content."""
    if not file.exists():
        return {}
    with file.open(encoding="utf-8") as lines:
        found = hcl2.load(lines).get(kind, [])
    return {name.strip('"'): content for block in found for name, content in block.items()}


def resource(file, kind, name):
    """Return the content of one resource in a file."""
    with file.open(encoding="utf-8") as lines:
        found = [block for block in hcl2.load(lines)["resource"] if f'"{kind}"' in block]
    return next(block[f'"{kind}"'][f'"{name}"'] for block in found if f'"{name}"' in block[f'"{kind}"'])


@each_module
def test_module_has_the_files_that_every_module_has(module):
    names = {file.name for file in module.glob("*.tf")}

    assert {"versions.tf", "variables.tf", "outputs.tf"} <= names


def variables_of(module):
    """The variables of a module, from `variables.tf` and each `variables.<task>.tf`: name -> content."""
    files = sorted(module.glob("variables*.tf"))
    return {name: content for file in files for name, content in blocks(file, "variable").items()}


@each_file
def test_variable_is_in_the_file_of_its_part(file):
    parts = PARTS if file.parent == TERRAFORM else []
    prefixes = tuple(f"{part}_" for part in parts)
    own = next((f"{part}_" for part in parts if file.name == f"variables.{part}.tf"), None)
    names = blocks(file, "variable")

    if own:
        assert [name for name in names if not name.startswith(own)] == []
    else:
        assert [name for name in names if name.startswith(prefixes) or file.name != "variables.tf"] == []


def test_each_part_has_a_file_for_its_variables():
    assert {file.name for file in TERRAFORM.glob("variables.*.tf")} == {f"variables.{part}.tf" for part in PARTS}


@each_module
def test_variable_has_type_and_description(module):
    variables = variables_of(module)

    assert variables
    assert [name for name, variable in variables.items() if not {"type", "description"} <= variable.keys()] == []


def test_variable_of_the_root_module_is_validated_unless_it_is_a_switch():
    variables = variables_of(TERRAFORM)
    unchecked = {name for name, variable in variables.items() if "validation" not in variable}

    # pasted_keys.tf checks the sensitive variables.
    assert unchecked <= {name for name, found in variables.items() if "bool" in found["type"] or "sensitive" in found}


def test_variable_where_a_key_might_be_pasted_is_sensitive_and_checked_without_being_shown():
    variables = variables_of(TERRAFORM)
    with (TERRAFORM / "pasted_keys.tf").open(encoding="utf-8") as lines:
        checked = hcl2.load(lines)["locals"][0]["maybe_keys"]
    asking = {name for name in variables if re.search("_(key|dsn|secret)_name$|_(api|webhook|endpoint)_url$", name)}

    assert asking and asking == {name for name, variable in variables.items() if variable.get("sensitive")}
    assert asking == {name for name in checked if not name.startswith("__")}


@each_module
def test_output_has_a_description(module):
    outputs = blocks(module / "outputs.tf", "output")

    assert outputs
    assert [name for name, output in outputs.items() if "description" not in output] == []


@each_file
def test_resource_and_module_call_have_a_comment_with_their_reason(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    bare = [line for above, line in zip(lines, lines[1:]) if re.match("(resource|module) ", line) and above[:1] != "#"]

    assert bare == []


@each_file
def test_arn_and_domain_are_valid_in_every_partition(file):
    text = re.sub(r"(?m)^\s*(description|error_message|condition)\s*=.*$", "", file.read_text(encoding="utf-8"))

    # Service principals of CodeBuild, EventBridge, Lambda and S3 are the same in every partition.
    principals = {
        f"{service}.amazonaws.com"
        for service in ("batchoperations.s3", "codebuild", "events", "lambda", "s3", "scheduler")
    }
    domains = set(re.findall(r"[\w.-]*amazonaws[\w.]*", text)) - principals
    assert (re.findall(r"arn:aws[\w-]*", text), domains) == ([], set())


def test_path_of_events_is_complete_before_the_bucket_sends_to_eventbridge():
    notification = resource(TERRAFORM / "partition_replicate.tf", "aws_s3_bucket_notification", "partition_replicate")
    target = resource(TERRAFORM / "partition_replicate.tf", "aws_cloudwatch_event_target", "partition_replicate")

    assert "aws_cloudwatch_event_rule.partition_replicate" in str(target["rule"])
    assert {name.strip("${}") for name in notification["depends_on"]} >= {
        "aws_cloudwatch_event_target.partition_replicate",
        "aws_lambda_permission.partition_replicate",
        "aws_sqs_queue.partition_replicate_undelivered",
        "module.partition_replicate",
    }


def around(text, position):
    """Return the second-innermost block of braces around a position."""
    depth, start = 0, position
    while depth < 2:
        start -= 1
        depth += {"{": 1, "}": -1}.get(text[start], 0)
    depth, end = 2, position
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return text[start:end]


@each_file
def test_service_is_trusted_only_on_behalf_of_one_account_or_resource(file):
    text = file.read_text(encoding="utf-8")
    statements = [around(text, found.start()) for found in re.finditer(r"Service\s*=", text)]

    assert [statement for statement in statements if not re.search('"aws:Source(Account|Arn)"', statement)] == []


def test_service_may_invoke_a_function_only_on_behalf_of_one_resource():
    files = [hcl2.loads(file.read_text(encoding="utf-8")) for file in FILES]
    blocks_of_resources = [block for parsed in files for block in parsed.get("resource", [])]
    found = [content for block in blocks_of_resources for content in block.get('"aws_lambda_permission"', {}).values()]

    assert found
    assert [permission for permission in found if "source_arn" not in permission] == []


@each_file
def test_skip_of_checkov_has_a_reason(file):
    skips = re.findall(r"checkov:skip=(\w+)(?::(.*))?", file.read_text(encoding="utf-8"))

    assert [check for check, reason in skips if len(reason.split()) < 4] == []


def test_example_of_tfvars_lists_every_variable():
    example = (TERRAFORM / "terraform.tfvars.example").read_text(encoding="utf-8")
    named = re.findall(r"(?m)^(?:# )?(\w+) *=", example)

    assert sorted(named) == sorted(variables_of(TERRAFORM))


def test_lock_file_pins_an_allowed_provider_by_the_checksums_of_its_archives():
    lock = (TERRAFORM / ".terraform.lock.hcl").read_text()
    (block,) = re.findall(r'^provider "registry.terraform.io/hashicorp/aws" \{$.*?^\}$', lock, re.MULTILINE | re.DOTALL)
    assert lock.count("\nprovider ") == 1
    wanted = re.search(r'version = "(>= (\d+)\.(\d+), < (\d+))"', (TERRAFORM / "versions.tf").read_text())
    major, minor, _ = map(int, re.search(r'^ +version += "([\d.]+)"$', block, re.MULTILINE)[1].split("."))
    assert (int(wanted[2]), int(wanted[3])) <= (major, minor) < (int(wanted[4]), 0)
    # The registry's checksums, one for the archive of each platform.
    assert len(set(re.findall('"zh:([0-9a-f]{64})"', block))) > 10
    assert "h1:" in block


def test_example_of_tfvars_deploys_only_own_resources():
    example = (TERRAFORM / "terraform.tfvars.example").read_text(encoding="utf-8")
    deployed = "\n".join(line for line in example.splitlines() if not line.startswith("#"))

    assert "archive_copy_archives" in deployed
    assert re.findall(r"bucket\w*\s*=|arn:|[0-9]{12}", deployed) == []
