"""`ObjectClerk`: S3 with retries and proofs, which never loses an object.

    clerk = ObjectClerk("s3.eu-west-1.amazonaws.com", 443, "AKIA...", "...", retry_tries=5, use_ssl=True)
    clerk = ObjectClerk.from_client(boto3.client("s3"))
    clerk.upload_object("measurements.hdf", "bucket", "2024/measurements.hdf")
    clerk.move_object("bucket", "2024/measurements.hdf", "archive", "2024/measurements.hdf")

The environment's `MULTIPART_THRESHOLD`, `ABANDONED_UPLOAD_SECONDS`, `DIRECT_REQUESTS`, `S3_CLIENT_CONFIG`,
`S3_UPLOAD_CONFIG` and `S3_DOWNLOAD_CONFIG` are read when a clerk is made. `clerk_settings` lists their values, `errors`
the tree of errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config

from tasks.object_clerk import bodies, downloads, moves, uploads
from tasks.object_clerk.clerk_arguments import MAX_PAGE, Jitter, Retries, object_address
from tasks.object_clerk.clerk_settings import ClerkSettings, without_signed_bodies
from tasks.object_clerk.errors import ObjectClerkException
from tasks.object_clerk.headers import upload_headers
from tasks.object_clerk.listings import listed_objects
from tasks.object_clerk.part_copies import CopyLimits
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.transport import clients

if TYPE_CHECKING:
    from boto3.s3.transfer import TransferConfig
    from mypy_boto3_s3 import S3Client


class ObjectClerk:
    """Reads, writes, copies, moves, deletes and lists the objects of one S3 server.

    Every method raises `ObjectClerkException` or a subclass of it, which names operation, source and destination; a
    retryable error only after `retry_tries` attempts. Threads may share a clerk.

    Attributes:
        client: the boto3 S3 client that sends the requests. Its own methods neither retry nor verify.
        client_config: the botocore `Config` of the client.
    """

    client: S3Client
    client_config: Config

    # The parameters and their order are those of the package object-clerk.
    def __init__(  # pylint: disable=too-many-arguments,too-many-positional-arguments  # see above
        self,
        host: str,
        port: int | str,
        access_key: str,
        secret_key: str,
        retry_delay: float = 1,
        retry_backoff: float = 2,
        retry_jitter: Jitter = (0, 1),
        retry_max_delay: float = 60,
        retry_tries: int = -1,
        use_ssl: bool = False,
        list_objects_page_size: int = MAX_PAGE,
        client_config: Mapping[str, Any] | Config | None = None,
        transfer_config: Mapping[str, Any] | TransferConfig | None = None,
    ) -> None:
        """Make a clerk, with a client for the server of this host and port.

        Args:
            host: the server's name or IP address.
            port: its port.
            access_key: the access key ID.
            secret_key: the secret access key.
            retry_delay: seconds before the second attempt.
            retry_backoff: the factor from one wait to the next.
            retry_jitter: seconds added to each wait: a number, or (least, most) to draw from.
            retry_max_delay: the longest wait in seconds.
            retry_tries: attempts in all; -1 for ever.
            use_ssl: use HTTPS.
            list_objects_page_size: keys of one request, 1 to 1,000.
            client_config: options of botocore's Config, in place of `S3_CLIENT_CONFIG`.
            transfer_config: options of boto3's TransferConfig, in place of `S3_UPLOAD_CONFIG`,
                `S3_DOWNLOAD_CONFIG` and `MULTIPART_THRESHOLD`.

        Raises:
            SettingsError: one sentence for each argument and each setting of the environment that is wrong.
        """
        retries = Retries(retry_delay, retry_backoff, retry_jitter, retry_max_delay, retry_tries)
        self._settings = ClerkSettings.read(
            host=host,
            port=port,
            access_key=access_key,
            secret_key=secret_key,
            use_ssl=use_ssl,
            list_objects_page_size=list_objects_page_size,
            client_config=client_config,
            transfer_config=transfer_config,
            **retries._asdict(),
        )
        self._policy, self._page_size = retries.policy(), list_objects_page_size
        self.client_config = self._settings.client_config
        self.client = clients.s3(
            direct=self._settings.direct_requests,
            # As with boto3, each clerk reads the configuration of this moment.
            of=botocore.session.Session(),
            endpoint_url=f"{'https' if use_ssl else 'http'}://{host}:{port}",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=without_signed_bodies(self.client_config) if use_ssl else self.client_config,
        )

    @classmethod
    def from_client(  # pylint: disable=too-many-arguments  # those of the constructor
        cls,
        s3_client: S3Client,
        *,
        retry_delay: float = 1,
        retry_backoff: float = 2,
        retry_jitter: Jitter = (0, 1),
        retry_max_delay: float = 60,
        retry_tries: int = 5,
        list_objects_page_size: int = MAX_PAGE,
        transfer_config: Mapping[str, Any] | TransferConfig | None = None,
    ) -> ObjectClerk:
        """Make a clerk around a boto3 S3 client, whatever its credentials, region, partition and encryption.

        Args:
            s3_client: the client. Make it with `s3_requests.client_config()`; otherwise botocore repeats each request
                as well.
            retry_delay: as for the constructor, and so are the others.
            retry_backoff: see there.
            retry_jitter: see there.
            retry_max_delay: see there.
            retry_tries: see there.
            list_objects_page_size: see there.
            transfer_config: see there.

        Raises:
            SettingsError: as for the constructor.
        """
        retries = Retries(retry_delay, retry_backoff, retry_jitter, retry_max_delay, retry_tries)
        clerk = cls.__new__(cls)
        clerk._settings = ClerkSettings.read(
            s3_client=s3_client,
            list_objects_page_size=list_objects_page_size,
            client_config={},
            transfer_config=transfer_config,
            **retries._asdict(),
        )
        clerk._policy, clerk._page_size = retries.policy(), list_objects_page_size
        clerk.client, clerk.client_config = s3_client, s3_client.meta.config
        return clerk

    def __repr__(self) -> str:
        return f"ObjectClerk({self.client.meta.endpoint_url})"

    @property
    def transfer_config(self) -> TransferConfig:
        """The boto3 `TransferConfig` that the constructor was given, or else one of the settings of uploads."""
        return self._settings.transfer_config

    def get_object(self, bucket: str, object_key: str, verify_checksum: bool = True) -> bytes:
        """Return the bytes of an object.

        Args:
            bucket: the bucket's name.
            object_key: the key, as S3 stores it.
            verify_checksum: prove the bytes, as `downloads` says.

        Raises:
            ObjectNotFoundException: there is no such object.
            ObjectVerificationException: the bytes differed from the stored ones three times.
        """
        address = object_address(bucket, object_key)
        return downloads.read(self._requests(), address, transfer=self._settings.download, verify=verify_checksum)

    def get_object_info(self, bucket: str, object_key: str) -> dict[str, str]:
        """Return the HTTP headers of an object, a dict with lower-case names."""
        address = object_address(bucket, object_key)
        answer = self._requests()("head_object", source=address, **address.parameters)
        return dict(answer["ResponseMetadata"]["HTTPHeaders"])

    def download_object(self, bucket: str, object_key: str, path: str | Path, verify_checksum: bool = True) -> None:
        """Read an object into a file, in bounded memory.

        Args:
            bucket: the bucket's name.
            object_key: the key.
            path: the file, which is replaced at once when the object is complete and proven.
            verify_checksum: as for `get_object`.

        Raises:
            ObjectSaveException: the file cannot be written.
            ObjectClerkException: as for `get_object`.
        """
        address = object_address(bucket, object_key)
        downloads.save(self._requests(), address, path, transfer=self._settings.download, verify=verify_checksum)

    def iterate_object(self, bucket: str, object_key: str, verify_checksum: bool = True) -> Iterator[bytes]:
        """Return an iterator over an object's bytes in order, in blocks and in bounded memory.

        It continues after a broken read. If the bytes differ from the stored ones, it raises
        `ObjectVerificationException` after the last block. So use a result only when the iterator has ended by itself.
        """
        address = object_address(bucket, object_key)
        return downloads.blocks(self._requests(), address, transfer=self._settings.download, verify=verify_checksum)

    def upload_object(  # pylint: disable=too-many-arguments,too-many-positional-arguments  # object-clerk's
        self,
        object_data: Any,
        bucket: str,
        object_key: str,
        verify_checksum: bool = True,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
    ) -> None:
        """Write an object, which replaces an existing one when it is complete.

        Args:
            object_data: the path of a file (a text or a `Path`), a binary file, bytes, or an iterable of bytes; a
                file is read from its start, if it can be rewound.
            bucket: the bucket's name.
            object_key: the key.
            verify_checksum: also compare the checksum that the server says it stored with ours. The server refuses
                damaged bytes either way.
            content_type: the object's `Content-Type`.
            metadata: the object's metadata: name -> text.
            storage_class: its storage class; None for the bucket's standard.

        Raises:
            ObjectSaveException: nothing to write, unreadable, not bytes, too long, or changed meanwhile; or a header
                that is no text or has characters that no header can have.
            ObjectVerificationException: the bytes were damaged on the way three times.
            TypeError: `object_data` is none of these.
        """
        destination = object_address(bucket, object_key)
        try:
            headers = upload_headers(content_type=content_type, metadata=metadata, storage_class=storage_class)
            with bodies.opened(object_data) as body:
                manner = uploads.Manner(headers, self._settings.upload, verify_checksum)
                uploads.upload(self._requests(), body, destination, manner)
        except ObjectClerkException as error:
            error.operation = error.operation or "upload_object"
            error.destination = error.destination or destination
            raise

    def copy_object(  # pylint: disable=too-many-arguments,too-many-positional-arguments  # object-clerk's
        self,
        source_bucket: str,
        source_object_key: str,
        destination_bucket: str,
        destination_object_key: str,
        verify_checksum: bool = True,
    ) -> None:
        """Copy an object inside S3, up to 50 TB, with metadata, tags, content headers and storage class.

        The version that is current at the beginning is copied, and no other. A copy onto itself does nothing.

        Args:
            source_bucket: the source's bucket.
            source_object_key: the source's key.
            destination_bucket: the copy's bucket.
            destination_object_key: the copy's key.
            verify_checksum: compare the copy with the source, by their checksums if they have one in common, else by
                reading both.

        Raises:
            ObjectNotFoundException: there is no such source or bucket.
            ObjectVerificationException: the copy differs from the source.
        """
        moves.copy_current(
            self._requests(),
            object_address(source_bucket, source_object_key),
            object_address(destination_bucket, destination_object_key),
            prove=verify_checksum,
            limits=CopyLimits(quiet_seconds=self._settings.upload.quiet_seconds),
        )

    def move_object(  # pylint: disable=too-many-arguments,too-many-positional-arguments  # as for `copy_object`
        self,
        source_bucket: str,
        source_object_key: str,
        destination_bucket: str,
        destination_object_key: str,
        verify_checksum: bool = True,
        *,
        etag: str | None = None,
    ) -> None:
        """Copy an object as `copy_object` does, and then delete the version that was copied, and no other.

        An object that another writer put at the source meanwhile stays there. In a bucket with versions, the version
        before becomes the current one. A move onto itself does nothing.

        In a bucket without versions, no condition of a delete distinguishes two writes of the same bytes. So right
        before the delete the source is compared with what was copied, by ETag, LastModified, metadata, content headers,
        tags and annotations; `moves.delete_copied` lists what can still be lost in the instant after that.

        Args:
            source_bucket: as for `copy_object`, and so are the others.
            source_object_key: see there.
            destination_bucket: see there.
            destination_object_key: see there.
            verify_checksum: see there.
            etag: the ETag of the object to move. No other object is moved, and a move that is repeated after a crash
                succeeds if the source is gone and the destination has this ETag; the log says "already moved".

        Raises:
            SourceReplacedException: another object than `etag` says is at the source, and at the destination.
            ObjectClerkException: as for `copy_object`; the source is then still there.
        """
        moves.move_object(
            self._requests(),
            object_address(source_bucket, source_object_key),
            object_address(destination_bucket, destination_object_key),
            etag=etag,
            prove=verify_checksum,
            limits=CopyLimits(quiet_seconds=self._settings.upload.quiet_seconds),
        )

    def delete_object(self, bucket: str, object_key: str) -> None:
        """Delete an object. Its absence is no error."""
        address = object_address(bucket, object_key)
        self._requests()("delete_object", source=address, **address.parameters)

    def list_objects(self, bucket: str, prefix: str | int = "") -> Iterator[dict[str, Any]]:
        """Return an iterator over the objects of a bucket in order of their keys, in boto3's form.

        The first page is requested at once, so that this call fails if there is no such bucket; each other page when it
        is needed.

        Args:
            bucket: the bucket's name.
            prefix: the beginning of the keys; a whole number instead is the maximum number of objects.
        """
        prefix, limit = ("", prefix) if isinstance(prefix, int) else (prefix, None)
        if limit is not None and limit < 0:
            raise ObjectClerkException(f"list_objects: the number of objects is {limit}: it should be 0 or more")
        return islice(listed_objects(self._requests(), bucket, prefix, page_size=self._page_size), limit)

    def _requests(self) -> S3Requests:
        return S3Requests(self.client, self._policy)
