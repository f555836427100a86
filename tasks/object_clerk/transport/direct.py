"""The commonest requests to S3 and DynamoDB by a way that is shorter than botocore's, and says the same.

A request by a botocore client takes a millisecond of processor time, most of it for rules whose outcome is the same
each time: where the endpoint is, what a valid parameter is, which handlers are to be asked. Here the request is put
together from botocore's own description of the operation, signed by botocore's signer and sent over its connections,
in little more than a third of the time. What is not plain goes botocore's way: all other operations, buckets that are
ARNs, proxies, redirects to another region.

A client's handlers of `before-call`, `before-send` and `after-call` are called for these requests too, and for those to
S3 its handlers of `provide-client-params`.
"""

import hmac
import json
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

import botocore
from botocore.auth import SIGNED_HEADERS_BLACKLIST, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, NoCredentialsError, SSLError
from botocore.hooks import first_non_none_response
from botocore.httpsession import get_cert_path
from botocore.parsers import create_parser
from botocore.response import StreamingBody
from botocore.utils import get_environ_proxies, parse_timestamp, percent_encode

from tasks.object_clerk.transport import clients
from tasks.object_clerk.transport.connections import Connections, host, split

S3_OPERATIONS = {
    "head_object": "HeadObject",
    "get_object": "GetObject",
    "put_object": "PutObject",
    "upload_part": "UploadPart",
}

# Names that are neither ARNs nor of S3 Express, whose requests are signed in other ways.
PLAIN_BUCKET = re.compile(r"(?!.*--x-s3$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
METADATA_PREFIX = "x-amz-meta-"
# The parameters that are moments, and written as HTTP writes them.
MOMENTS = frozenset({"Expires", "IfModifiedSince", "IfUnmodifiedSince"})
# What botocore follows to the region where the bucket is. The answer to a HEAD has no body, so all it says is 400.
REDIRECTS = frozenset({301, 302, 307})
OTHER_REGION = frozenset({"400", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})
CONDITION_FAILED = "ConditionalCheckFailedException"
# What RFC 3986 leaves as it is.
UNRESERVED = "-._~"
AGENT = f"bucket-brigade botocore/{botocore.__version__}"


def s3(**options):
    """Returns an S3 client, as `clients.client` does, whose requests for single objects go directly.

    What `get_object` reads is not held against the object's checksums: whoever reads it does that.
    """
    return _made(DirectS3, "s3", options)


def dynamodb(**options):
    """Returns a DynamoDB client, as `clients.client` does, whose requests for single items go directly."""
    return _made(DirectDynamoDB, "dynamodb", options)


def _made(kind, service, options):
    client, session = clients.client(service, **options), clients.session()
    if "aws_access_key_id" in options:
        named = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        credentials = Credentials(*(options.get(name) for name in named))
    else:
        credentials = session.get_credentials()
    return kind(client, credentials, session.get_config_variable("ca_bundle"))


class _Direct:
    """A botocore client, some of whose methods are replaced.

    Args:
        client: the client.
        credentials: botocore's `Credentials`, those of the client.
        ca_bundle: the path of a file of certificates to trust; by default botocore's.
    """

    def __init__(self, client, credentials, ca_bundle=None):
        self._client = client
        self._credentials = credentials
        self._connections = Connections(client.meta.config, ca_bundle or get_cert_path(True))
        self._model = client.meta.service_model
        self._service = self._model.service_id.hyphenize()

    def __getattr__(self, name):
        return getattr(self._client, name)

    def close(self):
        """Closes all connections."""
        self._connections.close()
        self._client.close()

    def _exchange(self, operation, params, signer, region):
        """Signs and sends a request; returns the answer."""
        headers = {**params["headers"], "User-Agent": AGENT}
        context = {**params["context"], "client_config": self._client.meta.config}
        request = _Unsigned(params["method"], params["url"], headers, params["body"], context)
        if self._credentials is None:
            raise NoCredentialsError()
        credentials = self._credentials.get_frozen_credentials()
        signer(credentials, self._model.signing_name, region).add_auth(request)
        prepared = request.prepared()
        return self._emit("before-send", operation, request=prepared) or self._connections.send(prepared)

    def _emit(self, event, operation, **about):
        """Tells who listens; returns the first answer of theirs, or None."""
        return first_non_none_response(self._client.meta.events.emit(f"{event}.{self._service}.{operation}", **about))

    def _error(self, operation, answer):
        """Returns what botocore reads in the answer of an error."""
        said = {"status_code": answer.status_code, "headers": _lowered(answer.headers), "body": answer.content}
        parser = create_parser(self._model.resolved_protocol)
        parsed = parser.parse(said, self._model.operation_model(operation).output_shape)
        # What this kind of error tells besides, such as the item that a condition failed on.
        shape = self._model.shape_for_error_code(parsed.get("Error", {}).get("Code", ""))
        return {**parsed, **(parser.parse(said, shape) if shape else {})}

    def _raised(self, operation, parsed):
        return self._client.exceptions.from_code(parsed["Error"].get("Code"))(parsed, operation)

    def _is_behind_proxy(self, url):
        return bool(self._client.meta.config.proxies or get_environ_proxies(url))


class DirectS3(_Direct):
    """An S3 client: HeadObject, GetObject, PutObject and UploadPart go directly."""

    def __init__(self, client, credentials, ca_bundle=None):
        super().__init__(client, credentials, ca_bundle)
        self._places = {}
        # The requests that botocore sends in a thread which asks it for the way.
        self._seen = threading.local()
        client.meta.events.register(f"before-send.{self._service}", self._note)
        model = self._model.operation_model
        self._operations = {method: _Operation(method, model(name)) for method, name in S3_OPERATIONS.items()}

    def head_object(self, **given):
        """Asks about an object, as boto3's method of that name."""
        return self._request("head_object", given)

    def get_object(self, **given):
        """Asks for an object, as boto3's method of that name; its bytes are not held against its checksums."""
        return self._request("get_object", given)

    def put_object(self, **given):
        """Writes an object, as boto3's method of that name."""
        return self._request("put_object", given)

    def upload_part(self, **given):
        """Writes a part of an upload, as boto3's method of that name."""
        return self._request("upload_part", given)

    # One of these comes before the first part. It shows the way, so that every part goes directly: botocore's way knows
    # no deadline, and a part takes long.

    def create_multipart_upload(self, **given):
        """Begins an upload, as boto3's method of that name."""
        return self._shown_the_way("create_multipart_upload", given)

    def list_parts(self, **given):
        """Lists the parts of an upload, as boto3's method of that name."""
        return self._shown_the_way("list_parts", given)

    def _request(self, method, given):
        operation = self._operations[method]
        context = {}
        asked = {"params": given, "model": operation.model, "context": context}
        given = self._emit("provide-client-params", operation.name, **asked) or given
        if not operation.takes(given):
            return getattr(self._client, operation.method)(**given)
        place = self._places.get(given["Bucket"])
        if not place:
            return self._shown_the_way(method, given)
        params = operation.request(place.url, given, context)
        about = {"model": operation.model, "context": context}
        answered = self._emit("before-call", operation.name, params=params, request_signer=None, **about)
        try:
            answer, parsed = answered or self._ask(operation, params, place.region)
        except SSLError:
            # botocore may trust more: it knows REQUESTS_CA_BUNDLE as well.
            return self._shown_the_way(method, given)
        if answer.status_code in REDIRECTS or parsed.get("Error", {}).get("Code") in OTHER_REGION:
            return self._shown_the_way(method, given)
        self._emit("after-call", operation.name, http_response=answer, parsed=parsed, **about)
        if answer.status_code >= 300:
            raise self._raised(operation.name, parsed)
        return parsed

    def _ask(self, operation, params, region):
        answer = self._exchange(operation.name, params, _S3Signer, region)
        try:
            went_well = answer.status_code < 300
            return answer, operation.parsed(answer) if went_well else self._error(operation.name, answer)
        except BaseException:
            answer.close()
            raise

    def _shown_the_way(self, method, given):
        """Makes a request by botocore's way, and keeps where it led: host or path, partition, FIPS, another region."""
        self._seen.requests = []
        try:
            return getattr(self._client, method)(**given)
        finally:
            # A request is not kept longer than that: it holds its body.
            requests = self._seen.__dict__.pop("requests", [])
            if requests and PLAIN_BUCKET.fullmatch(given["Bucket"]):
                self._keep(given["Bucket"], _quoted(given["Key"]), requests[-1])

    def _keep(self, bucket, key, request):
        url = request.url.partition("?")[0]
        if url.endswith(f"/{key}") and not self._is_behind_proxy(url):
            region = request.context.get("signing", {}).get("region") or self._client.meta.region_name
            self._places[bucket] = _Place(url.removesuffix(key), region)

    def _note(self, request, **_):
        getattr(self._seen, "requests", []).append(request)


@dataclass(frozen=True)
class _Unsigned:
    """A request as botocore's signer looks at it. Its own has headers that parse each value as e-mail's do.

    Attributes:
        method: HTTP's.
        url: with its query.
        headers: name -> value; the signer adds its own.
        body: what is sent, or None.
        context: what the signer goes by.
        params: a query that the URL has not: none.
    """

    method: str
    url: str
    headers: dict
    body: memoryview | bytes | None
    context: dict
    params: None = None

    def prepared(self):
        """Returns botocore's `AWSPreparedRequest`."""
        # What is not ASCII goes out as UTF-8.
        headers = {name: value if value.isascii() else value.encode() for name, value in self.headers.items()}
        if self.method not in ("GET", "HEAD"):
            headers["Content-Length"] = str(len(self.body or b""))
        return AWSPreparedRequest(self.method, self.url, HTTPHeaders.from_dict(headers), self.body, False)


class _Signer(SigV4Auth):
    """botocore's signer puts the headers to sign together twice, and makes the key of the day for each request."""

    def headers_to_sign(self, request):
        """Returns the headers as a `_HeadersToSign`."""
        known = request.context.get("headers_to_sign")
        if known is None:
            origin, _ = split(request.url)
            known = request.context["headers_to_sign"] = _HeadersToSign(host=[host(origin)])
            for name, value in request.headers.items():
                if name.lower() not in SIGNED_HEADERS_BLACKLIST:
                    known.setdefault(name.lower(), []).append(value)
        return known

    def signature(self, string_to_sign, request):
        """Returns the signature as hexadecimal digits."""
        day = request.context["timestamp"][:8]
        key = _signing_key(self.credentials.secret_key, day, self._region_name, self._service_name)
        return self._sign(key, string_to_sign, hex=True)


@lru_cache(maxsize=8)
def _signing_key(secret, *scope):
    """Returns the key for a day, a region and a service.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class _HeadersToSign(dict):
    """Lower-case name -> values, as botocore's signer asks for them."""

    get_all = dict.__getitem__


class _S3Signer(_Signer, S3SigV4Auth):
    """Signs requests to S3."""


@dataclass(frozen=True)
class _Place:
    """Where a bucket is: the URL that its keys are put behind, and the region that requests are signed for."""

    url: str
    region: str


class DirectDynamoDB(_Direct):
    """A DynamoDB client: GetItem and PutItem go directly, and once more by botocore's way where that fails.

    So retries are botocore's, as the client's configuration has them. Attributes are texts, numbers, truth values and
    what is made of them; binary ones are for botocore alone.
    """

    def __init__(self, client, credentials, ca_bundle=None):
        super().__init__(client, credentials, ca_bundle)
        self._url = f"{client.meta.endpoint_url}/"
        self._has_direct_way = not self._is_behind_proxy(self._url)

    def get_item(self, **given):
        """Asks for an item, as boto3's method of that name."""
        return self._request("GetItem", given) or self._client.get_item(**given)

    def put_item(self, **given):
        """Writes an item, as boto3's method of that name."""
        return self._request("PutItem", given) or self._client.put_item(**given)

    def _request(self, operation, given):
        """Returns the answer, or None where botocore is to ask."""
        if not self._has_direct_way:
            return None
        try:
            parsed = self._ask(operation, given)
        except (BotoCoreError, TypeError, ValueError):
            # A value that JSON cannot hold: a binary one. Or an answer that is no JSON.
            return None
        code = parsed.get("Error", {}).get("Code")
        if code == CONDITION_FAILED:
            raise self._raised(operation, parsed)
        return None if code else parsed

    def _ask(self, operation, given):
        about = self._model.metadata
        headers = {
            "Content-Type": f"application/x-amz-json-{about['jsonVersion']}",
            "X-Amz-Target": f"{about['targetPrefix']}.{operation}",
        }
        body = json.dumps(given).encode()
        params = {"method": "POST", "url": self._url, "headers": headers, "body": body, "context": {}}
        answer = self._exchange(operation, params, _Signer, self._client.meta.region_name)
        if answer.status_code >= 300:
            return self._error(operation, answer)
        return {**json.loads(answer.content), "ResponseMetadata": {"HTTPStatusCode": answer.status_code}}


class _Operation:
    """One operation of S3 as botocore describes it: where a parameter goes, what a header says.

    Attributes:
        method: the name of the client's method.
        name: the operation's.
        model: botocore's `OperationModel`.
    """

    def __init__(self, method, model):
        self.method = method
        self.name = model.name
        self.model = model
        self._headers = _members(model.input_shape, "header")
        self._query = _members(model.input_shape, "querystring")
        answered = _members(model.output_shape, "header")
        self._answered = {
            header.lower(): (name, READ[model.output_shape.members[name].type_name])
            for name, header in answered.items()
        }

    def takes(self, given):
        """Returns whether a request with these parameters is plain."""
        others = {name: value for name, value in given.items() if name not in ("Body", "Metadata")}
        metadata = given.get("Metadata", {})
        return (
            given.get("Key")
            and others.keys() - {"Bucket", "Key"} <= self._headers.keys() | self._query.keys()
            and all(isinstance(value, (str, int)) or _is_moment(name, value) for name, value in others.items())
            and ("Body" not in given or (hasattr(given["Body"], "getbuffer") and "ChecksumCRC32" in given))
            # botocore says best what is wrong with others.
            and all(f"{name}{value}".isascii() for name, value in metadata.items())
        )

    def request(self, place, given, context):
        """Returns a request as botocore hands it to its handlers: method, URL, headers, body and context.

        What the signer goes by is added to the context.
        """
        body = given["Body"].getbuffer() if "Body" in given else None
        headers = {f"{METADATA_PREFIX}{name}": value for name, value in given.get("Metadata", {}).items()}
        headers |= {self._headers[name]: _text(value) for name, value in given.items() if name in self._headers}
        query = "&".join(
            f"{self._query[name]}={percent_encode(_text(value), safe=UNRESERVED)}"
            for name, value in given.items()
            if name in self._query
        )
        url = f"{place}{_quoted(given['Key'])}{'?' if query else ''}{query}"
        # By this the signer knows that a checksum stands for the body, which over TLS it then need not read.
        checksum = {"request_algorithm": {"in": "header", "name": "x-amz-checksum-crc32"}}
        context |= {"has_streaming_input": body is not None, "checksum": checksum}
        return {"method": self.model.http["method"], "url": url, "headers": headers, "body": body, "context": context}

    def parsed(self, answer):
        """Returns what botocore reads in an answer that went well; the body is read if it is no object."""
        headers = _lowered(answer.headers)
        parsed = {"ResponseMetadata": {"HTTPStatusCode": answer.status_code, "HTTPHeaders": headers}}
        for header in headers.keys() & self._answered.keys():
            name, read = self._answered[header]
            parsed[name] = read(headers[header])
        if "Expires" in parsed:
            # Anybody may have written anything there.
            parsed["ExpiresString"] = headers["expires"]
            parsed = {name: value for name, value in parsed.items() if value is not None}
        if "Metadata" in self.model.output_shape.members:
            parsed["Metadata"] = {
                name[len(METADATA_PREFIX) :]: value
                for name, value in _items(answer.headers)
                if name.lower().startswith(METADATA_PREFIX)
            }
        if self.model.has_streaming_output:
            parsed["Body"] = StreamingBody(answer.raw, headers.get("content-length"))
        else:
            # The connection is free again when everything was read.
            _ = answer.content
        return parsed


def _members(shape, location):
    """Returns which header, or which part of the query, says what: name of the member -> theirs."""
    places = {name: member.serialization for name, member in shape.members.items()}
    return {name: place["name"] for name, place in places.items() if place.get("location") == location}


def _quoted(key):
    return percent_encode(key, safe=f"{UNRESERVED}/")


def _is_moment(name, value):
    return name in MOMENTS and isinstance(value, datetime) and value.tzinfo is not None


def _text(value):
    if isinstance(value, datetime):
        return format_datetime(value.astimezone(UTC), usegmt=True)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(text):
    """Returns the moment that a header names, or None where it names none."""
    try:
        # Quicker than botocore's by far, and right for the form that HTTP prescribes.
        return parsedate_to_datetime(text) if text.endswith("GMT") else parse_timestamp(text)
    except (ValueError, RuntimeError):
        return None


def _lowered(headers):
    return {name.lower(): value for name, value in _items(headers)}


def _items(headers):
    # The items of http.client's headers are made fit for e-mail, which takes longer than reading them.
    return headers.raw_items() if isinstance(headers, Message) else headers.items()


READ = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": lambda text: text == "true",
    "timestamp": _moment,
}
