"""The AWS clients of a Lambda function, all made of one session.

They are boto3's: its `client` asks a botocore session for them as well. But `import boto3` also loads s3transfer, which
nothing here uses and which would be a fifth of a cold start.
"""

from functools import cache

import botocore.session


@cache
def session():
    """Returns the container's session: credentials, region and the descriptions of the services are read once."""
    return botocore.session.Session()


def client(service, **options):
    """Returns a client.

    Args:
        service: the service's name as boto3 has it, such as `s3`.
        options: what `boto3.client` takes, such as `region_name` and `config`.
    """
    return session().create_client(service, **options)
