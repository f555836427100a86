"""Files that go through this machine's disk: if a task says so, or if its destinations are of two kinds."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import gnupg
import pytest

from tasks.otf_addons import worker_files
from tasks.otf_addons.s3_handlers import S3Transfer
from tests.otf_addons.definitions import destination, local, source, transfer

MIB = 1024 * 1024
# Ten of these tags are too long for a header.
LONG_TAGS = dict.fromkeys("abcdefghij", "v" * 250)


def proxied(bucket, **options):
    return destination(bucket, transferType="proxy", **options)


def tags_of(store, key):
    return {tag["Key"]: tag["Value"] for tag in store.client.get_object_tagging(Bucket=store.bucket, Key=key)["TagSet"]}


@pytest.mark.parametrize("size", [0, 1, 5 * MIB], ids=["empty", "small", "large"])
@pytest.mark.parametrize("tags", [{"k": "v w"}, LONG_TAGS], ids=["tag", "long tags"])
def test_file_arrives_with_all_its_attributes(framework, inbox, outbox, size, tags):
    body = os.urandom(size)
    tagging = "&".join(f"{name}={value.replace(' ', '%20')}" for name, value in tags.items())
    inbox.put("src/a", body, ContentType="text/csv", ContentEncoding="gzip", Metadata={"origin": "x"}, Tagging=tagging)

    ran = framework.run(transfer(source(inbox.bucket), proxied(outbox.bucket)))

    assert ran.ok, ran.said
    copy = outbox.head("dest/a")
    assert (copy["ContentType"], copy["ContentEncoding"], copy["Metadata"]) == ("text/csv", "gzip", {"origin": "x"})
    assert tags_of(outbox, "dest/a") == tags
    assert outbox.bytes_of("dest/a") == body


@pytest.mark.parametrize("folder_comes", ["first", "last"])
def test_file_goes_to_a_folder_and_a_bucket_before_it_is_deleted(framework, inbox, outbox, tmp_path, folder_comes):
    inbox.put("src/a.txt", b"a", ContentType="text/plain", Metadata={"origin": "x"})
    (tmp_path / "in").mkdir()
    given = source(inbox.bucket, postCopyAction={"action": "delete"})
    destinations = [local(tmp_path / "in"), destination(outbox.bucket)]

    ran = framework.run(transfer(given, *(destinations if folder_comes == "first" else reversed(destinations))))

    assert ran.ok, ran.said
    assert (tmp_path / "in" / "a.txt").read_bytes() == outbox.bytes_of("dest/a.txt") == b"a"
    copy = outbox.head("dest/a.txt")
    assert (copy["ContentType"], copy["Metadata"]) == ("text/plain", {"origin": "x"})
    assert inbox.keys_of() == []
    assert ran.said.count("1 of 1 files done") == 3


def test_file_that_would_be_put_onto_itself_is_refused_and_stays(framework, inbox):
    inbox.put("src/a.txt", b"a")
    given = source(inbox.bucket, postCopyAction={"action": "delete"})

    ran = framework.run(transfer(given, proxied(inbox.bucket, directory="src")))

    assert not ran.ok and "src/a.txt would be put onto itself" in ran.said
    assert inbox.bytes_of("src/a.txt") == b"a"


def test_file_of_this_machine_has_no_attributes_of_an_earlier_download_to_its_path(inbox, outbox, tmp_path):
    inbox.put("src/a", b"a", ContentType="text/plain", Metadata={"origin": "x"})
    giving, taking = (
        S3Transfer({**definition, "task_id": "task"})
        for definition in (source(inbox.bucket), destination(outbox.bucket))
    )
    assert giving.pull_files_to_worker(giving.list_files(), str(tmp_path)) == 0
    assert worker_files.sources_of([f"{tmp_path}/a"])
    giving.tidy()

    assert taking.push_files_from_worker(str(tmp_path)) == 0

    copy = outbox.head("dest/a")
    assert (copy["ContentType"], copy["Metadata"]) == ("application/octet-stream", {})


@pytest.fixture(name="keys")
def pair_of_keys(monkeypatch):
    """A public and a private key, in a folder with a short name: a socket's path may have 107 bytes."""
    folder = tempfile.mkdtemp(prefix="otf-")
    # The framework looks for its keys there as well.
    monkeypatch.setenv("OTF_STAGING_DIR", folder)
    gpg = gnupg.GPG(gnupghome=folder)
    wanted = {"key_type": "EDDSA", "key_curve": "ed25519", "subkey_type": "ECDH", "subkey_curve": "cv25519"}
    made = gpg.gen_key(gpg.gen_key_input(name_email="files@example.org", no_protection=True, **wanted))
    yield gpg.export_keys(made.fingerprint), gpg.export_keys(made.fingerprint, secret=True, expect_passphrase=False)
    subprocess.run(["gpgconf", "--homedir", folder, "--kill", "gpg-agent"], check=True)
    shutil.rmtree(folder)


@pytest.mark.skipif(not shutil.which("gpg"), reason="the framework encrypts with GnuPG, which is not installed")
def test_file_is_encrypted_on_its_way_and_decrypted_on_its_way_back(framework, inbox, outbox, keys):
    inbox.put("src/a.txt", b"a secret", ContentType="text/plain")
    public, private = keys
    encrypted = proxied(outbox.bucket, encryption={"encrypt": True, "public_key": public})
    given = source(outbox.bucket, directory="dest", encryption={"decrypt": True, "private_key": private})

    there = framework.run(transfer(source(inbox.bucket), encrypted))
    back = framework.run(transfer(given, proxied(inbox.bucket, directory="back")))

    assert there.ok, there.said
    assert outbox.keys_of() == ["dest/a.txt.gpg"]
    assert b"a secret" not in outbox.bytes_of("dest/a.txt.gpg")
    assert "text" not in outbox.head("dest/a.txt.gpg")["ContentType"]
    assert back.ok, back.said
    assert inbox.bytes_of("back/a.txt") == b"a secret"
    assert not list(Path(os.environ["OTF_STAGING_DIR"]).glob("OTF_STAGING_*/*.txt*"))


def test_encryption_between_buckets_requires_the_worker(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a secret")
    encrypted = destination(outbox.bucket, encryption={"encrypt": True, "public_key": "a key"})

    ran = framework.run(transfer(source(inbox.bucket), encrypted))

    assert not ran.ok and "Encryption requested but not supported for this transfer" in ran.said
    assert outbox.keys_of() == []
