"""Requests as botocore prepares them."""

from botocore.awsrequest import AWSRequest


def request(url, method="GET", path="/key?versionId=1", body=None, **headers):
    return AWSRequest(method, url + path, headers, body).prepare()
