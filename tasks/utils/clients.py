"""The AWS clients of a Lambda function, all made of one session.

They are boto3's: its `client` asks a botocore session for them as well. But `import boto3` also loads s3transfer, which
nothing here uses and which would be a fifth of a cold start.
"""

from functools import cache

# The first of botocore that is imported: docs/decisions.md says why that counts.
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
import botocore.session

from tasks.utils.errors import SettingsError

# A queue, a table or a secret answers at once. What does not is given up soon, and the message comes back.
PROMPT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


@cache
def session():
    """Returns the container's session: credentials, region and the descriptions of the services are read once."""
    return botocore.session.Session()


def client(service, **options):
    """Returns a client.

    Args:
        service: the service's name as boto3 has it, such as `s3`.
        options: what `boto3.client` takes, such as `region_name` and `config`; without a `config` it is `PROMPT`.
    """
    return session().create_client(service, **{"config": PROMPT, **options})


def parameter(name):
    """Returns the value of a parameter in SSM's Parameter Store.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    except (BotoCoreError, ClientError) as error:
        raise SettingsError(f"the parameter {name} cannot be read: {error}") from error
