"""The build's Terraform, compared with what buildspec.yml and the scripts read and write."""

import fnmatch
import json
import re

import yaml

from scripts.dist_index import Index, Package
from scripts.object_keys import build_key, zip_key
from scripts.sources import zipped_tasks
from tests.scripts.test_build_files import names_that_the_upload_reads
from tests.terraform.test_conventions import ROOT, TERRAFORM, resource

BUILD = TERRAFORM / "build.tf"
TEXT = BUILD.read_text(encoding="utf-8")
TESTED = (TERRAFORM / "tests" / "build.tftest.hcl").read_text(encoding="utf-8")


def environment_of_the_project():
    """The names of the variables in the project's `environment`."""
    (block,) = re.findall(r"for_each = \{ for name, value in \{\n(.*?)\n +\} :", TEXT, re.DOTALL)
    return set(re.findall(r"^ +(\w+) +=", block, re.MULTILINE))


def packages_that_the_role_may_write():
    """The patterns of keys below the prefix, from the policy that terraform/tests/build.tftest.hcl compares."""
    (statement,) = re.findall(r'Sid += "ReadAndWritePackages".*?Condition', TESTED, re.DOTALL)
    return re.findall(r'"arn:aws:s3:::[a-z0-9-]+-packages/(builds/.*?)"', statement)


def test_project_sets_what_the_upload_reads():
    assert environment_of_the_project() == names_that_the_upload_reads()


def test_role_may_write_each_package_and_the_manifest_and_not_the_sources():
    patterns = packages_that_the_role_may_write()
    several = Index(tuple(Package(task, "0" * 64, f"{task}.zip", "", 0) for task in zipped_tasks(ROOT)))
    written = {build_key("builds/", several), *(zip_key("builds/", task, "main") for task in zipped_tasks(ROOT))}
    assert {key for key in written if any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)} == written
    (source,) = re.findall(r'build_source_key += "(.*)"', TEXT)
    assert not any(fnmatch.fnmatchcase(f"builds/{source}", pattern) for pattern in patterns)


def test_role_may_write_the_reports_of_buildspec():
    (group,) = yaml.safe_load((ROOT / "buildspec.yml").read_text(encoding="utf-8"))["reports"]
    assert re.search(rf":report-group/\$\{{local\.build_name\}}-{group}\"", TEXT)


def test_default_image_and_machine_are_those_of_the_page():
    page = (ROOT / "docs" / "codebuild.md").read_text(encoding="utf-8")
    defaults = re.findall(
        r'variable "build_(?:image|compute_type)".*?default += (".*?")',
        (TERRAFORM / "variables.build.tf").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert len(defaults) == 2
    assert all(json.loads(default) in page for default in defaults)


def test_project_runs_the_buildspec_of_the_sources():
    (source,) = resource(BUILD, "aws_codebuild_project", "build")["source"]
    assert "buildspec" not in source
    assert (ROOT / "buildspec.yml").is_file()
