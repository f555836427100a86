"""Permissions in S3: the actions that a request needs, each on its own resource.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from typing import Any

import xmltodict
from moto.s3.exceptions import BucketAccessDeniedError, MissingKey
from moto.s3.models import s3_backends
from moto.s3.responses import S3Response

from local.patches.patching import patch
from local.patches.s3_copy import parse_copy_source, source_of_copy

# What a request with `versionId` needs instead, by what it needs without.
ON_VERSIONS = {
    "GetObject": "GetObjectVersion",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObjectAnnotation": "GetObjectVersionAnnotation",
    "PutObjectAnnotation": "PutObjectVersionAnnotation",
    "DeleteObjectAnnotation": "DeleteObjectVersionAnnotation",
    "ListObjectAnnotations": "ListObjectVersionAnnotations",
}

# What a request for tags needs, by its method.
ON_TAGS = {"GET": "GetObjectTagging", "PUT": "PutObjectTagging", "DELETE": "DeleteObjectTagging"}

# What a request for an annotation needs, by its method.
ON_ANNOTATIONS = {"GET": "GetObjectAnnotation", "PUT": "PutObjectAnnotation", "DELETE": "DeleteObjectAnnotation"}


# The headers by which a request names the owners of its bucket, and of the bucket that is copied from.
EXPECTED_OWNER = "x-amz-expected-bucket-owner"
EXPECTED_SOURCE_OWNER = "x-amz-source-expected-bucket-owner"


@patch(S3Response, "_authenticate_and_authorize_s3_action")
def refuse_buckets_of_other_owners(original: Any, response: Any, *args: Any, **kwargs: Any) -> None:
    """A request that names the owner of its bucket, or of the bucket that it copies from, is denied where another
    account owns that; moto does not look at the headers.

    Amazon S3 User Guide, Verifying bucket ownership with bucket owner condition.
    """
    original(response, *args, **kwargs)
    headers = response.headers
    named = [(response.bucket_name, headers[EXPECTED_OWNER])] if EXPECTED_OWNER in headers else []
    if EXPECTED_SOURCE_OWNER in headers:
        named.append((parse_copy_source(response)[0], headers[EXPECTED_SOURCE_OWNER]))
    for bucket, owner in named:
        # A bucket that is not there has no owner, and is answered otherwise.
        if s3_backends.bucket_accounts.get(bucket, (None, owner))[1] != owner:
            raise BucketAccessDeniedError(bucket=bucket)


@patch(S3Response, "_set_action")
def name_actions_on_versions(original: Any, response: Any, kind: str, method: str, query: dict[str, Any]) -> None:
    """A version, its tags, annotations and attributes have actions of their own; moto asks for the current one's.

    Service Authorization Reference, Amazon S3.
    """
    original(response, kind, method, query)
    if kind == "KEY" and method in ON_TAGS and "tagging" in query:
        response.data["Action"] = ON_TAGS[method]
    if kind == "KEY" and method in ON_ANNOTATIONS and "annotation" in query:
        is_named = method != "GET" or "annotationName" in query
        response.data["Action"] = ON_ANNOTATIONS[method] if is_named else "ListObjectAnnotations"
    if kind == "KEY" and method in ("GET", "HEAD") and "attributes" in query:
        response.data["Action"] = "GetObjectAttributes"
    if kind == "KEY" and "versionId" in query:
        response.data["Action"] = ON_VERSIONS.get(response.data["Action"], response.data["Action"])


@patch(S3Response, "copy_object")
def need_to_read_what_is_copied(original: Any, response: Any) -> Any:
    """A copy needs `GetObject` on its source, and where the source has tags or annotations that go along, leave to
    read and write them; moto needs `PutObject` alone.

    Whether AWS asks for leave to read annotations where there are none is not documented.
    """
    _need_source(response)
    source = source_of_copy(response)
    if source is not None and response.headers.get("x-amz-tagging-directive", "COPY") == "COPY":
        if response.backend.tagger.get_tag_dict_for_resource(source.arn):
            bucket, key, version_id = parse_copy_source(response)
            need(response, _on(version_id, "GetObjectTagging"), bucket, key)
            need(response, "PutObjectTagging", response.bucket_name, response.parse_key_name())
    if source is not None and response.headers.get("x-amz-object-annotation-directive", "COPY") == "COPY":
        if vars(source).get("annotations"):
            bucket, key, version_id = parse_copy_source(response)
            need(response, _on(version_id, "GetObjectAnnotation"), bucket, key)
            need(response, "PutObjectAnnotation", response.bucket_name, response.parse_key_name())
    return original(response)


@patch(S3Response, "upload_part_copy")
def need_to_read_what_is_copied_in_parts(original: Any, response: Any) -> Any:
    """UploadPartCopy needs `GetObject` on its source; moto needs `PutObject` alone."""
    _need_source(response)
    return original(response)


@patch(S3Response, "_tagging_from_headers")
def need_to_tag_what_is_written(original: Any, response: Any, headers: Any) -> Any:
    """A write with tags needs `PutObjectTagging` as well; moto needs `PutObject` alone."""
    if headers.get("x-amz-tagging"):
        need(response, "PutObjectTagging", response.bucket_name, response.parse_key_name())
    return original(response, headers)


@patch(S3Response, "_key_response")
def hide_absence_from_who_may_not_list(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """An absent key is `AccessDenied` to who may not list the bucket; moto tells everybody that it is absent."""
    try:
        answer = original(response, request, full_url)
    except MissingKey:
        need(response, "ListBucket", _bucket_of_absent_key(response))
        raise
    if answer[0] == 404 and request.method == "HEAD":
        need(response, "ListBucket", response.bucket_name)
    return answer


@patch(S3Response, "_bucket_response_delete_keys")
def need_to_delete_each_key(original: Any, response: Any, bucket_name: str, **_authenticated: bool) -> Any:
    """DeleteObjects needs `DeleteObject` on every key, or `DeleteObjectVersion`; moto needs it on the bucket."""
    objects = xmltodict.parse(response.body, force_list=("Object",), strip_whitespace=False)["Delete"]["Object"]
    try:
        for named in objects:
            action = "DeleteObjectVersion" if named.get("VersionId") else "DeleteObject"
            need(response, action, bucket_name, named["Key"])
    except BucketAccessDeniedError:
        return original(response, bucket_name, authenticated=False)
    return original(response, bucket_name)


def _on(version_id: str | None, action: str) -> str:
    return ON_VERSIONS[action] if version_id else action


def need(response: Any, action: str, bucket: str, key: str | None = None) -> None:
    """Refuse a request unless who makes it may also do something else."""
    asked = response.data.get("Action")
    response.data["Action"] = action
    try:
        # What moto itself asks for the request as a whole; it has no public name.
        response._authenticate_and_authorize_s3_action(  # pylint: disable=protected-access
            bucket_name=bucket, key_name=key
        )
    finally:
        response.data["Action"] = asked


def _need_source(response: Any) -> None:
    bucket, key, version_id = parse_copy_source(response)
    need(response, _on(version_id, "GetObject"), bucket, key)


def _bucket_of_absent_key(response: Any) -> str:
    """Tell whether it is the source of a copy that is absent, or the key of the request itself."""
    if "x-amz-copy-source" in response.headers and source_of_copy(response) is None:
        return parse_copy_source(response)[0]
    return response.bucket_name
