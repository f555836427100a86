"""Each item of a list or map that Terraform refuses is named."""

import json
import os
import shutil
import subprocess

import pytest

from local import terraform
from local.embedded_aws import EmbeddedAws

ALIAS = "arn:aws:kms:eu-west-1:123456789012:alias/mine"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
KEY_LISTS = (
    "archive_copy_source_kms_key_arns",
    "partition_replicate_source_kms_key_arns",
    "upload_validate_upload_kms_key_arns",
    "upload_validate_final_kms_key_arns",
    "upload_validate_quarantine_kms_key_arns",
)
VARIABLES = {
    "archive_copy_source_bucket": "my-source",
    "package_bucket": "my-packages",
    "package_hashes": {"archive_copy": "archive_copy/0123.zip"},
    "archive_copy_archives": {
        "dotless": {"extensions": ["txt", ".ok", None]},
        "slash": {"extensions": [".OK", "a/b", "other"], "bucket": "Not_A_Bucket"},
        "C_c": {"extensions": [".c"], "storage_class": "ICE"},
        "none": {"extensions": [], "noncurrent_versions_expire_after_days": 0.5},
        "existing": {"extensions": [".e"], "bucket": "my-data", "noncurrent_versions_expire_after_days": 3},
        "keys": {"extensions": [".k"], "kms_key_arns": [KEY, ALIAS]},
        "itself": {"extensions": [".i"], "bucket": "my-source"},
        "long" * 12: {"extensions": [".l"]},
    },
    "partition_replicate_prefixes": ["a/", "", "b/", ""],
    **{name: [KEY, ALIAS] for name in KEY_LISTS},
}
NAMED = [
    'Refused: "archive_copy/0123.zip" of archive_copy.',
    'or be "other". Refused: "txt" of the archive dotless, null of the archive dotless, "a/b" of the archive slash.',
    'an object goes to one archive. Refused: ".ok" of dotless and slash.',
    'Refused: "Not_A_Bucket" of the archive slash.',
    'Refused: "C_c".',
    'DEEP_ARCHIVE, or be left out. Refused: "ICE" of the archive C_c.',
    "each archive must have at least one extension. Without any: none.",
    "a whole number of at least 1, or be left out. Refused: 0.5 of the archive none.",
    "Refused: the setting of the archive existing.",
    f'Refused: "{ALIAS}" of the archive keys.',
    "Refused: my-source of the archive itself.",
    f"Too long: bucket-brigade-123456789012-eu-west-1-archive-{'long' * 12}.",
    "leave the list empty. Refused: number 2 of 4, number 4 of 4.",
    *(f'{name} must list ARNs of keys, not of aliases. Refused: "{ALIAS}".' for name in KEY_LISTS),
]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not shutil.which("terraform") and os.environ.get("CI") != "true", reason="Terraform is not installed"
    ),
]


@pytest.fixture(scope="module", name="plan")
def fixture_plan(tmp_path_factory):
    """Return what a plan that fails says, in one line."""
    with EmbeddedAws() as aws:
        deployment = terraform.initialise(aws, tmp_path_factory.mktemp("terraform"), VARIABLES)

        def plan(**variables):
            finished = subprocess.run(
                [
                    *("terraform", "plan", "-input=false", "-no-color"),
                    *(f"-var={name}={json.dumps(value)}" for name, value in variables.items()),
                ],
                cwd=deployment.folder,
                env=deployment.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert finished.returncode
            return " ".join(finished.stdout.split())

        yield plan


def test_refused_item_of_a_list_or_map_is_named(plan):
    said = plan()
    assert [sentence for sentence in NAMED if sentence not in said] == []


def test_refused_owner_is_named_with_its_bucket(plan):
    # Terraform does not check the owners while the archives are wrong.
    said = plan(
        bucket_owners={"my-data": "1234", "my-source": "210987654321"},
        archive_copy_archives={"all": {"extensions": ["other"], "bucket": "my-data"}},
    )
    assert 'Refused: "1234" of the bucket my-data.' in said
    assert "Refused: my-source, which archive_copy_source_bucket names." in said


def test_refused_tag_is_named(plan):
    # Terraform checks few other variables while the tags are wrong, because it starts no provider.
    said = plan(tags={"AWS:owner": "me", "owner": "me"})
    assert 'no key may begin with "aws:", which AWS reserves. Refused: "AWS:owner".' in said
