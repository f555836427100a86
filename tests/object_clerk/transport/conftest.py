import pytest
from botocore.config import Config
from botocore.httpsession import get_cert_path

from tasks.object_clerk.transport.connections import Connections
from tasks.object_clerk.transport.direct_dynamodb import DirectDynamoDB
from tasks.object_clerk.transport.direct_s3 import DirectS3
from tests.object_clerk.transport.ways import PLACES, S3_CONFIG, Ways, closed


@pytest.fixture(name="connections")
def make_connections():
    connections = Connections(Config(connect_timeout=2, read_timeout=0.3), get_cert_path(True))
    yield connections
    connections.close()


@pytest.fixture(scope="module", name="ways")
def both_ways_to_one_place():
    for ways in closed(Ways("s3", DirectS3, S3_CONFIG, region_name="eu-west-1")):
        ways.know("a-bucket")
        yield ways


@pytest.fixture(scope="module", params=PLACES.values(), ids=PLACES, name="ways_there")
def both_ways_to_each_place(request):
    options = {**request.param}
    config = {**S3_CONFIG, **options.pop("config", {})}
    yield from closed(Ways("s3", DirectS3, config, **options))


@pytest.fixture(scope="module", name="tables")
def both_ways_to_tables():
    yield from closed(Ways("dynamodb", DirectDynamoDB, {"retries": {"total_max_attempts": 3}}, region_name="eu-west-1"))
