"""Permissions in S3: the actions that a request needs, and the resource of each.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from typing import Any

import xmltodict
from moto.s3.exceptions import BucketAccessDeniedError, MissingKey
from moto.s3.models import s3_backends
from moto.s3.responses import S3Response

from local.patches.patching import patch
from local.patches.s3_copy import parse_copy_source, source_of_copy

# Action of a request without `versionId` -> action of the same request with one.
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

# Actions of requests for tags, by method.
ON_TAGS = {"GET": "GetObjectTagging", "PUT": "PutObjectTagging", "DELETE": "DeleteObjectTagging"}

# Actions of requests for an annotation, by method.
ON_ANNOTATIONS = {"GET": "GetObjectAnnotation", "PUT": "PutObjectAnnotation", "DELETE": "DeleteObjectAnnotation"}

# The headers that name the expected owners of a request's bucket and of the source bucket of a copy.
EXPECTED_OWNER = "x-amz-expected-bucket-owner"
EXPECTED_SOURCE_OWNER = "x-amz-source-expected-bucket-owner"


@patch(S3Response, "_authenticate_and_authorize_s3_action")
def refuse_buckets_of_other_owners(original: Any, response: Any, *args: Any, **kwargs: Any) -> None:
    """A request that names the owner of its bucket, or of the source bucket of a copy, is denied if another account
    owns the bucket; moto ignores the headers.

    Amazon S3 User Guide, Verifying bucket ownership with bucket owner condition.
    """
    original(response, *args, **kwargs)
    headers = response.headers
    named = [(response.bucket_name, headers[EXPECTED_OWNER])] if EXPECTED_OWNER in headers else []
    if EXPECTED_SOURCE_OWNER in headers:
        named.append((parse_copy_source(response)[0], headers[EXPECTED_SOURCE_OWNER]))
    for bucket, owner in named:
        # A missing bucket has no owner; its requests fail with another error.
        if s3_backends.bucket_accounts.get(bucket, (None, owner))[1] != owner:
            raise BucketAccessDeniedError(bucket=bucket)


@patch(S3Response, "_set_action")
def use_version_actions(original: Any, response: Any, kind: str, method: str, query: dict[str, Any]) -> None:
    """Requests for a version, its tags, annotations or attributes have their own actions; moto requires the actions of
    the current version.

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
def require_read_of_copy_source(original: Any, response: Any) -> Any:
    """A copy needs `GetObject` on its source, and permission to read and write the tags and annotations that it
    carries; moto requires only `PutObject`.

    AWS does not document whether a copy without annotations needs permission to read them.
    """
    _require_source(response)
    source = source_of_copy(response)
    if source is not None and response.headers.get("x-amz-tagging-directive", "COPY") == "COPY":
        if response.backend.tagger.get_tag_dict_for_resource(source.arn):
            bucket, key, version_id = parse_copy_source(response)
            require(response, _action(version_id, "GetObjectTagging"), bucket, key)
            require(response, "PutObjectTagging", response.bucket_name, response.parse_key_name())
    if source is not None and response.headers.get("x-amz-object-annotation-directive", "COPY") == "COPY":
        if vars(source).get("annotations"):
            bucket, key, version_id = parse_copy_source(response)
            require(response, _action(version_id, "GetObjectAnnotation"), bucket, key)
            require(response, "PutObjectAnnotation", response.bucket_name, response.parse_key_name())
    return original(response)


@patch(S3Response, "upload_part_copy")
def require_read_of_part_copy_source(original: Any, response: Any) -> Any:
    """UploadPartCopy needs `GetObject` on its source; moto requires only `PutObject`."""
    _require_source(response)
    return original(response)


@patch(S3Response, "_tagging_from_headers")
def require_tagging_permission(original: Any, response: Any, headers: Any) -> Any:
    """A write with tags also needs `PutObjectTagging`; moto requires only `PutObject`."""
    if headers.get("x-amz-tagging"):
        require(response, "PutObjectTagging", response.bucket_name, response.parse_key_name())
    return original(response, headers)


@patch(S3Response, "_key_response")
def hide_absence_without_list_permission(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """Without the permission to list the bucket, an absent key answers `AccessDenied`; with moto it answers 404."""
    try:
        answer = original(response, request, full_url)
    except MissingKey:
        require(response, "ListBucket", _bucket_of_absent_key(response))
        raise
    if answer[0] == 404 and request.method == "HEAD":
        require(response, "ListBucket", response.bucket_name)
    return answer


@patch(S3Response, "_bucket_response_delete_keys")
def require_delete_of_each_key(original: Any, response: Any, bucket_name: str, **_authenticated: bool) -> Any:
    """DeleteObjects needs `DeleteObject` or `DeleteObjectVersion` on every key; moto requires it on the bucket."""
    objects = xmltodict.parse(response.body, force_list=("Object",), strip_whitespace=False)["Delete"]["Object"]
    try:
        for entry in objects:
            action = "DeleteObjectVersion" if entry.get("VersionId") else "DeleteObject"
            require(response, action, bucket_name, entry["Key"])
    except BucketAccessDeniedError:
        return original(response, bucket_name, authenticated=False)
    return original(response, bucket_name)


def _action(version_id: str | None, action: str) -> str:
    return ON_VERSIONS[action] if version_id else action


def require(response: Any, action: str, bucket: str, key: str | None = None) -> None:
    """Refuse a request unless its caller has the permission for another action."""
    action_of_request = response.data.get("Action")
    response.data["Action"] = action
    try:
        response._authenticate_and_authorize_s3_action(  # pylint: disable=protected-access  # moto's only check
            bucket_name=bucket, key_name=key
        )
    finally:
        response.data["Action"] = action_of_request


def _require_source(response: Any) -> None:
    bucket, key, version_id = parse_copy_source(response)
    require(response, _action(version_id, "GetObject"), bucket, key)


def _bucket_of_absent_key(response: Any) -> str:
    """Return the source bucket if the source of a copy is absent, else the bucket of the request."""
    if "x-amz-copy-source" in response.headers and source_of_copy(response) is None:
        return parse_copy_source(response)[0]
    return str(response.bucket_name)
