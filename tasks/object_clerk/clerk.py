"""`ObjectClerk`: S3 that tries again, proves what it did, and never loses an object.

    clerk = ObjectClerk("s3.eu-west-1.amazonaws.com", 443, "AKIA...", "...", 1, 2, (0, 1), 60, 5, use_ssl=True)
    clerk = ObjectClerk.from_client(boto3.client("s3"))
    clerk.upload_object("measurements.hdf", "bucket", "2024/measurements.hdf")
    clerk.move_object("bucket", "2024/measurements.hdf", "archive", "2024/measurements.hdf")

The environment's `MULTIPART_THRESHOLD`, `ABANDONED_UPLOAD_SECONDS`, `DIRECT_REQUESTS`, `S3_CLIENT_CONFIG`,
`S3_UPLOAD_CONFIG` and `S3_DOWNLOAD_CONFIG` are read when a clerk is made. `clerk_settings` lists their values, `errors`
the tree of errors.
"""

from itertools import islice

import botocore.session
from botocore.config import Config

from tasks.object_clerk import bodies, downloads, moves, uploads
from tasks.object_clerk.clerk_settings import ClerkSettings
from tasks.object_clerk.errors import ObjectClerkException
from tasks.object_clerk.part_copies import CopyLimits
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.transport import clients
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object

# What one ListObjectsV2 answers at most.
PAGE_SIZE = 1000


class ObjectClerk:
    """Reads, writes, copies, moves, deletes and lists the objects of one S3 server.

    Every method raises `ObjectClerkException` or one of its kinds, which names operation, source and destination;
    those for which there is hope it raises only after `retry_tries` attempts. A clerk may be used by many threads.
    """

    # The parameters and their order are those of the package object-clerk, whose users should find them here.
    def __init__(  # pylint: disable=too-many-arguments,too-many-positional-arguments
        self,
        host,
        port,
        access_key,
        secret_key,
        retry_delay,
        retry_backoff,
        retry_jitter,
        retry_max_delay,
        retry_tries=-1,
        use_ssl=False,
        list_objects_page_size=PAGE_SIZE,
        client_config=None,
        transfer_config=None,
    ):
        """Makes a clerk, and a client for a server that is known by host and port.

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
            use_ssl: speak HTTPS.
            list_objects_page_size: keys asked for at once, 1 to 1,000.
            client_config: options of botocore's Config, in place of `S3_CLIENT_CONFIG`.
            transfer_config: options of boto3's TransferConfig, in place of `S3_UPLOAD_CONFIG`,
                `S3_DOWNLOAD_CONFIG` and `MULTIPART_THRESHOLD`.

        Raises:
            SettingsError: a configuration holds what it may not.
        """
        settings = ClerkSettings.read(client_config=client_config, transfer_config=transfer_config)
        self._client = clients.s3(
            direct=settings.direct_requests,
            # As with boto3, each clerk reads the configuration of this moment.
            of=botocore.session.Session(),
            endpoint_url=f"{'https' if use_ssl else 'http'}://{host}:{port}",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=_unsigned_bodies(settings.client_config) if use_ssl else settings.client_config,
        )
        self._policy = _policy(retry_tries, retry_delay, retry_backoff, retry_jitter, retry_max_delay)
        self._upload, self._download = settings.upload, settings.download
        self._page_size = list_objects_page_size

    @classmethod
    def from_client(  # pylint: disable=too-many-arguments
        cls,
        s3_client,
        *,
        retry_delay=1,
        retry_backoff=2,
        retry_jitter=(0, 1),
        retry_max_delay=60,
        retry_tries=5,
        list_objects_page_size=PAGE_SIZE,
        transfer_config=None,
    ):
        """Makes a clerk around a boto3 S3 client, whatever its credentials, region, partition and encryption.

        Args:
            s3_client: the client; best made with `s3_requests.client_config()`, for otherwise botocore repeats each
                request as well.
            retry_delay: as for the constructor, and so are the others.
            retry_backoff: see there.
            retry_jitter: see there.
            retry_max_delay: see there.
            retry_tries: see there.
            list_objects_page_size: see there.
            transfer_config: see there.
        """
        settings = ClerkSettings.read(client_config={}, transfer_config=transfer_config)
        clerk = cls.__new__(cls)
        clerk._client = s3_client
        clerk._policy = _policy(retry_tries, retry_delay, retry_backoff, retry_jitter, retry_max_delay)
        clerk._upload, clerk._download = settings.upload, settings.download
        clerk._page_size = list_objects_page_size
        return clerk

    def __repr__(self):
        return f"ObjectClerk({self._client.meta.endpoint_url})"

    def get_object(self, bucket, object_key, verify_checksum=True):
        """Returns the bytes of an object.

        Args:
            bucket: the bucket's name.
            object_key: the key, as S3 stores it.
            verify_checksum: prove the bytes, as `downloads` says.

        Raises:
            ObjectNotFoundException: there is no such object.
            ObjectVerificationException: other bytes came than are stored, three times.
        """
        address = S3Object(bucket, object_key)
        return downloads.read(self._requests(), address, transfer=self._download, verify=verify_checksum)

    def get_object_info(self, bucket, object_key):
        """Returns the HTTP headers of an object, a dict with lower-case names."""
        address = S3Object(bucket, object_key)
        answer = self._requests()("head_object", source=address, **address.parameters)
        return dict(answer["ResponseMetadata"]["HTTPHeaders"])

    def download_object(self, bucket, object_key, path, verify_checksum=True):
        """Reads an object into a file, in bounded memory.

        Args:
            bucket: the bucket's name.
            object_key: the key.
            path: the file, which is replaced in one go when all has come and is proven.
            verify_checksum: as for `get_object`.

        Raises:
            ObjectSaveException: the file cannot be written.
            ObjectClerkException: as for `get_object`.
        """
        address = S3Object(bucket, object_key)
        downloads.save(self._requests(), address, path, transfer=self._download, verify=verify_checksum)

    def iterate_object(self, bucket, object_key, verify_checksum=True):
        """Returns an iterator over an object's bytes in order, in blocks and in bounded memory.

        It goes on where a read broke, and raises `ObjectVerificationException` after the last block when they were
        not the stored bytes: what was made of them is good only when the iterator has ended by itself.
        """
        address = S3Object(bucket, object_key)
        return downloads.blocks(self._requests(), address, transfer=self._download, verify=verify_checksum)

    def upload_object(  # pylint: disable=too-many-arguments,too-many-positional-arguments
        self,
        object_data,
        bucket,
        object_key,
        verify_checksum=True,
        content_type="application/octet-stream",
        metadata=None,
        storage_class=None,
    ):
        """Writes an object, which takes the place of one that is there when it is complete.

        Args:
            object_data: the path of a file (a text or a `Path`), a binary file, bytes, or an iterable of bytes; a
                file is read from its start, if it can be rewound.
            bucket: the bucket's name.
            object_key: the key.
            verify_checksum: also hold what the server says it has stored against what was sent. The server refuses
                damaged bytes either way.
            content_type: the object's `Content-Type`.
            metadata: the object's metadata, texts by name.
            storage_class: its storage class; None for the bucket's standard.

        Raises:
            ObjectSaveException: nothing to write, unreadable, too long, or changed meanwhile.
            ObjectVerificationException: the bytes were damaged on the way, three times.
        """
        destination = S3Object(bucket, object_key)
        headers = {"ContentType": content_type, "Metadata": metadata, "StorageClass": storage_class}
        try:
            with bodies.opened(object_data) as body:
                uploads.upload(
                    self._requests(),
                    body,
                    destination,
                    headers=headers,
                    transfer=self._upload,
                    verify=verify_checksum,
                )
        except ObjectClerkException as error:
            error.operation = error.operation or "upload_object"
            error.destination = error.destination or destination
            raise

    def copy_object(
        self, source_bucket, source_object_key, destination_bucket, destination_object_key, verify_checksum=True
    ):
        """Copies an object inside S3, up to 50 TB, with metadata, tags, content headers and storage class.

        The version that is there at the beginning is copied, and no other. A copy onto itself leaves the object alone.

        Args:
            source_bucket: where it is.
            source_object_key: its key there.
            destination_bucket: where it is to be.
            destination_object_key: its key there.
            verify_checksum: hold the copy against the source, by their checksums where they have one in common, else
                by reading both.

        Raises:
            ObjectNotFoundException: there is no such source or bucket.
            ObjectVerificationException: the copy is not what the source is.
        """
        moves.copy_current(
            self._requests(),
            S3Object(source_bucket, source_object_key),
            S3Object(destination_bucket, destination_object_key),
            prove=verify_checksum,
            limits=CopyLimits(quiet_seconds=self._upload.quiet_seconds),
        )

    def move_object(  # pylint: disable=too-many-arguments,too-many-positional-arguments  # as for `copy_object`
        self,
        source_bucket,
        source_object_key,
        destination_bucket,
        destination_object_key,
        verify_checksum=True,
        *,
        etag=None,
    ):
        """Copies an object as `copy_object` does, and then deletes the version that was copied, and no other.

        An object that another writer has put in the source's place stays there. In a bucket with versions, the version
        before becomes the current one. A move onto itself leaves the object alone.

        A bucket without versions has no condition on the delete that tells two writes of the same bytes apart. So the
        source is compared with what was copied right before the delete, by ETag, LastModified, metadata, content
        headers, tags and annotations; `moves.delete_copied` lists what can still be lost in the instant after that.

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
            S3Object(source_bucket, source_object_key),
            S3Object(destination_bucket, destination_object_key),
            etag=etag,
            prove=verify_checksum,
            limits=CopyLimits(quiet_seconds=self._upload.quiet_seconds),
        )

    def delete_object(self, bucket, object_key):
        """Deletes an object; that it is not there is no error."""
        address = S3Object(bucket, object_key)
        self._requests()("delete_object", source=address, **address.parameters)

    def list_objects(self, bucket, prefix=""):
        """Returns an iterator over the objects of a bucket in order of their keys, dicts as boto3 gives them.

        The first page is asked for at once, so that a bucket which is not there is told here; the others when their
        turn comes.

        Args:
            bucket: the bucket's name.
            prefix: how the keys begin; a whole number means: at most so many objects.
        """
        limit = None
        if isinstance(prefix, int):
            prefix, limit = "", prefix
        requests = self._requests()
        asked = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": self._page_size}
        first = requests("list_objects_v2", source=f"s3://{bucket}/{prefix}", **asked)
        return islice(_listed(requests, asked, first), limit)

    def _requests(self):
        return S3Requests(self._client, self._policy)


def _unsigned_bodies(config):
    """Leaves bodies out of the signature, as boto3 does over TLS: that and the checksum of each write guard them."""
    signing = {"payload_signing_enabled": False, **(config.s3 or {})}
    return config.merge(Config(s3=signing))


def _policy(tries, delay, backoff, jitter, max_delay):
    least, most = (jitter, jitter) if isinstance(jitter, (int, float)) else jitter
    return RetryPolicy(tries=tries, delay=delay, backoff=backoff, jitter=(least, most), max_delay=max_delay)


def _listed(requests, asked, page):
    while True:
        yield from page.get("Contents", [])
        if not page.get("IsTruncated"):
            return
        rest = {**asked, "ContinuationToken": page["NextContinuationToken"]}
        page = requests("list_objects_v2", source=f"s3://{asked['Bucket']}/{asked['Prefix']}", **rest)
