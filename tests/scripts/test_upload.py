import hashlib
import json
import subprocess
import sys

import pytest

from scripts import upload as upload_module
from scripts.archive import write_zip
from scripts.dist_index import Package, read_index, write_index
from scripts.errors import ScriptError
from scripts.upload import Destination, destination, upload
from tests.scripts.conftest import write

BUCKET = "packages"
TO = Destination(BUCKET, "builds/", "qa", "alias/aws/s3", "c0ffee")
SETTINGS = {"ENVIRONMENT": "qa", "PACKAGE_BUCKET": BUCKET}


@pytest.fixture(name="bucket")
def versioned_bucket(s3):
    """Create a versioned bucket, which keeps every write."""
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return s3


@pytest.fixture(name="dist")
def empty_dist(tmp_path):
    return tmp_path / "dist"


@pytest.fixture(name="command")
def upload_command(dist, monkeypatch):
    """Return `make upload` with one built package and settings for the environment."""
    make_dist(dist, greet="hello")
    monkeypatch.chdir(dist.parent)

    def command(settings, *arguments):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["upload", *arguments])
        upload_module.main()

    return command


def make_dist(dist, **content_of_task):
    packages = []
    for task, content in content_of_task.items():
        write(dist.parent / "build" / task / "module.py", content)
        dist.mkdir(exist_ok=True)
        write_zip(dist.parent / "build" / task, dist / f"{task}.zip")
        zipped = (dist / f"{task}.zip").read_bytes()
        content_hash = hashlib.sha256(content.encode()).hexdigest()
        packages.append(Package(task, content_hash, f"{task}.zip", hashlib.sha256(zipped).hexdigest(), len(zipped)))
    write_index(dist, packages)
    return read_index(dist)


def keys(s3):
    return sorted(version["Key"] for version in s3.list_object_versions(Bucket=BUCKET).get("Versions", []))


def test_upload_of_one_package_writes_it_under_hash_and_environment(bucket, dist):
    index = make_dist(dist, greet="hello")
    upload(bucket, dist=dist, to=TO)
    assert keys(bucket) == sorted([f"builds/greet/{index.hash}.zip", "builds/greet/qa.zip"])
    for key in keys(bucket):
        assert bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read() == (dist / "greet.zip").read_bytes()


def test_upload_stores_hash_and_commit_and_encrypts_with_the_given_key(bucket, dist):
    index = make_dist(dist, greet="hello")
    upload(bucket, dist=dist, to=Destination(BUCKET, "", "qa", "alias/packages", "c0ffee"))
    for key in keys(bucket):
        head = bucket.head_object(Bucket=BUCKET, Key=key)
        assert head["Metadata"]["hash"] == index.hash
        assert head["Metadata"]["commit"] == "c0ffee"
        assert head["ServerSideEncryption"] == "aws:kms"
        assert head["SSEKMSKeyId"] == "alias/packages"
        assert head["ContentType"] == "application/zip"


def test_second_upload_of_a_package_does_not_write_the_hash_key(bucket, dist):
    index = make_dist(dist, greet="hello")
    upload(bucket, dist=dist, to=TO)
    upload(bucket, dist=dist, to=TO)
    assert keys(bucket) == sorted([f"builds/greet/{index.hash}.zip"] + ["builds/greet/qa.zip"] * 2)


def test_upload_of_a_new_package_updates_the_environment_key(bucket, dist):
    make_dist(dist, greet="hello")
    upload(bucket, dist=dist, to=TO)
    index = make_dist(dist, greet="good evening")
    upload(bucket, dist=dist, to=TO)
    assert bucket.head_object(Bucket=BUCKET, Key="builds/greet/qa.zip")["Metadata"]["hash"] == index.hash


def test_upload_of_other_bytes_with_the_same_hash_writes_them(bucket, dist):
    """Like a build with bytecode after one without."""
    index = make_dist(dist, greet="hello")
    hash_key = f"builds/greet/{index.hash}.zip"
    bucket.put_object(Bucket=BUCKET, Key=hash_key, Body=b"without bytecode", Metadata={"sha256": "0" * 64})
    upload(bucket, dist=dist, to=TO)
    assert bucket.get_object(Bucket=BUCKET, Key=hash_key)["Body"].read() == (dist / "greet.zip").read_bytes()


def test_upload_of_several_packages_adds_a_manifest_of_all(bucket, dist):
    index = make_dist(dist, answer="42", greet="hello")
    upload(bucket, dist=dist, to=TO)
    manifests = [f"builds/manifest/{index.hash}.json", "builds/manifest/qa.json"]
    assert len(keys(bucket)) == 6
    for key in manifests:
        manifest = json.load(bucket.get_object(Bucket=BUCKET, Key=key)["Body"])
        assert manifest["hash"] == index.hash
        assert set(manifest["tasks"]) == {"answer", "greet"}
        for task in manifest["tasks"].values():
            content = bucket.get_object(Bucket=BUCKET, Key=task["key"])["Body"].read()
            assert hashlib.sha256(content).hexdigest() == task["sha256"]


def test_upload_of_a_zip_that_was_changed_after_the_build_is_refused(bucket, dist):
    make_dist(dist, greet="hello")
    write(dist / "greet.zip", "something else")
    with pytest.raises(ScriptError, match="dist/greet.zip is not the zip that packages.json names"):
        upload(bucket, dist=dist, to=TO)
    assert keys(bucket) == []


def test_upload_before_any_build_names_the_command_to_run(bucket, dist):
    with pytest.raises(ScriptError, match="run `make dist` first"):
        upload(bucket, dist=dist, to=TO)
    assert keys(bucket) == []


@pytest.mark.parametrize(
    "settings", [{}, {"ENVIRONMENT": "qa"}, {"PACKAGE_BUCKET": BUCKET}, {**SETTINGS, "ENVIRONMENT": ""}]
)
def test_upload_command_without_both_settings_uploads_nothing_and_prints_why(bucket, command, capsys, settings):
    command(settings)
    assert capsys.readouterr().out == "Nothing is uploaded: ENVIRONMENT and PACKAGE_BUCKET are not both set.\n"
    assert keys(bucket) == []


def test_upload_command_with_both_settings_uploads_and_lists_the_objects(bucket, dist, command, capsys):
    command(SETTINGS)
    index = read_index(dist)
    assert keys(bucket) == sorted([f"greet/{index.hash}.zip", "greet/qa.zip"])
    assert capsys.readouterr().out == "".join(f"s3://{BUCKET}/{key}\n" for key in keys(bucket))


def test_upload_command_of_one_task_uploads_no_other(bucket, dist, command):
    make_dist(dist, answer="42", greet="hello")
    with pytest.raises(
        ScriptError, match="dist/ holds answer, greet, not greet alone: run `make dist TASK=greet` first"
    ):
        command(SETTINGS, "greet")
    assert keys(bucket) == []
    make_dist(dist, greet="hello")
    command(SETTINGS, "greet")
    assert len(keys(bucket)) == 2


@pytest.mark.usefixtures("aws")
def test_upload_command_to_a_missing_bucket_fails_with_one_sentence(command):
    with pytest.raises(ScriptError, match=f"the upload to s3://{BUCKET}/ failed: .*NoSuchBucket"):
        command(SETTINGS)


def test_destination_without_a_key_uses_the_key_of_aws(tmp_path):
    assert destination(SETTINGS, tmp_path).kms_key_id == "alias/aws/s3"


def test_destination_with_a_key_uses_it(tmp_path):
    assert destination({**SETTINGS, "PACKAGE_KMS_KEY_ID": "alias/packages"}, tmp_path).kms_key_id == "alias/packages"


def test_destination_with_a_bad_prefix_is_refused_even_if_nothing_would_be_uploaded(tmp_path):
    with pytest.raises(ScriptError, match="PACKAGE_PREFIX"):
        destination({"PACKAGE_PREFIX": "/builds/"}, tmp_path)


def test_destination_in_codebuild_names_the_commit_that_codebuild_resolved(tmp_path):
    environ = {**SETTINGS, "CODEBUILD_RESOLVED_SOURCE_VERSION": "c0ffee"}
    assert destination(environ, tmp_path).commit == "c0ffee"


def test_destination_in_a_clone_names_the_commit_at_its_head(tmp_path):
    identity = ["-c", "user.name=builder", "-c", "user.email=builder@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(
        ["git", "-C", tmp_path, *identity, "commit", "--quiet", "--allow-empty", "--no-verify", "-m", "first"],
        check=True,
    )
    head = (tmp_path / ".git" / (tmp_path / ".git" / "HEAD").read_text().split()[1]).read_text().strip()
    assert len(head) == 40
    assert destination(SETTINGS, tmp_path).commit == head


def test_destination_in_a_repository_without_commits_has_no_commit(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert destination(SETTINGS, tmp_path).commit == "unknown"


def test_destination_without_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert destination(SETTINGS, tmp_path).commit == "unknown"
