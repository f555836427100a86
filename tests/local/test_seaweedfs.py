import pytest
import trustme
from botocore.config import Config
from botocore.exceptions import SSLError

from local.seaweedfs import SeaweedFS
from tasks.object_clerk.bucket_owners import expect_owners


# One test: the server takes some seconds to start.
def test_with_an_authority_objects_travel_over_tls_whatever_owner_is_expected_and_who_does_not_trust_it_is_refused():
    once = Config(retries={"total_max_attempts": 1})
    with SeaweedFS(trustme.CA()) as server:
        assert server.endpoint_url == f"https://{server.host}:{server.port}"
        client, stranger = server.client(config=once), server.client(config=once, verify=True)
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="key", Body=b"bytes")
        assert client.get_object(Bucket="bucket", Key="key")["Body"].read() == b"bytes"
        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            stranger.get_object(Bucket="bucket", Key="key")
        # It has no accounts, and takes the header for one of many.
        expect_owners(client, {"*": "123456789012"})
        client.copy_object(Bucket="bucket", Key="copy", CopySource={"Bucket": "bucket", "Key": "key"})
        assert client.get_object(Bucket="bucket", Key="copy")["Body"].read() == b"bytes"
        client.close()
        stranger.close()
