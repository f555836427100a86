"""A server that does not know annotations ignores `?annotation`, and takes an annotation for the object."""

import pytest

from tasks.object_clerk import annotation_lists

MIB = 1024 * 1024
# An object that looks like a list. Each writer of the bucket can put it there.
LOOKS_LIKE_A_LIST = b"<ListObjectAnnotationsOutput><Annotations></Annotations></ListObjectAnnotationsOutput>"


@pytest.fixture(name="store")
def make_store(seaweedfs_store):
    """SeaweedFS; `way` leads to it."""
    return seaweedfs_store


def test_seaweedfs_takes_an_annotation_for_the_object(store):
    """If this fails, SeaweedFS knows annotations now. The checks stay right for other servers."""
    store.put("key", b"object")
    store.client.put_object_annotation(
        Bucket=store.bucket, Key="key", AnnotationName="note", AnnotationPayload=b"payload"
    )
    assert store.bytes_of("key") == b"payload"
    store.client.delete_object_annotation(Bucket=store.bucket, Key="key", AnnotationName="note")
    assert store.keys_of() == []


@pytest.mark.parametrize("body", [b"1", b"", LOOKS_LIKE_A_LIST, b"1" * (20 * MIB)], ids=["1", "none", "list", "20 MiB"])
def test_on_seaweedfs_no_annotation_is_written_and_no_object_read_for_one(store, way, body, monkeypatch):
    read = []
    store.put("key", body, ContentType="application/xml")
    bounded = getattr(annotation_lists, "_bound")

    def counting(response_dict, **how):
        body, of_body = response_dict["body"], response_dict["body"].read
        monkeypatch.setattr(body, "read", lambda *most: read.append(most) or of_body(*most))
        bounded(response_dict, **how)

    monkeypatch.setattr(annotation_lists, "_bound", counting)
    clerk = store.clerk(port=way.listens_on)
    clerk.copy_object(store.bucket, "key", store.bucket, "copy")
    clerk.move_object(store.bucket, "key", store.bucket, "moved")
    clerk.move_object(store.bucket, "moved", store.bucket, "moved again")
    assert store.keys_of() == ["copy", "moved again"]
    assert (store.bytes_of("moved again"), store.bytes_of("copy")) == (body, body)
    asked = [line for line in way.requests if "annotation" in line]
    # One list shows that the server knows none.
    assert [line.split()[0] for line in asked] == ["GET"] and "annotationName" not in asked[0]
    assert not read
