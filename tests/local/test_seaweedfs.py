import pytest
import trustme
from botocore.config import Config
from botocore.exceptions import SSLError

from local.seaweedfs import SeaweedFS
from tasks.object_clerk.bucket_owners import expect_owners


# One test for all, because the server takes some seconds to start.
@pytest.mark.long
def test_server_with_an_authority_speaks_tls_with_any_expected_owner_and_clients_without_trust_fail():
    once = Config(retries={"total_max_attempts": 1})
    with SeaweedFS(trustme.CA()) as server:
        assert server.endpoint_url == f"https://{server.host}:{server.port}"
        client, untrusting = server.client(config=once), server.client(config=once, verify=True)
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="key", Body=b"bytes")
        assert client.get_object(Bucket="bucket", Key="key")["Body"].read() == b"bytes"
        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            untrusting.get_object(Bucket="bucket", Key="key")
        # The server has no accounts, and ignores the header.
        expect_owners(client, {"*": "123456789012"})
        client.copy_object(Bucket="bucket", Key="copy", CopySource={"Bucket": "bucket", "Key": "key"})
        assert client.get_object(Bucket="bucket", Key="copy")["Body"].read() == b"bytes"
        client.close()
        untrusting.close()
