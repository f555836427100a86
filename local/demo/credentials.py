"""Proof that neither partition of the mirror accepts the credentials of the other."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local.demo.mirror import DESTINATION_REGION, SOURCE, Mirror
from local.demo.screen import Screen
from local.lambda_service import roles

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

AUDIENCE = "bucket-brigade"


def show_refusals(mirror: Mirror, screen: Screen) -> Iterator[str]:
    """Try credentials of the other side, and a token of another subject; show refusals, and yield what is accepted."""
    aws = mirror.stack.aws
    region, destination = aws.region, mirror.outputs["destination_bucket"]
    # An administrator may request any token, but is not the subject that the role trusts.
    token = _token(aws.client("sts"))

    def list_bucket(at_region: str, bucket: str, credentials: dict[str, str]) -> None:
        aws.client("s3", **{**credentials, "region_name": at_region}).list_objects_v2(Bucket=bucket)

    attempts: tuple[tuple[str, str, Callable[[], Any]], ...] = (
        (region, "the credentials of the mirror's role", lambda: list_bucket(region, SOURCE, _role_session(mirror))),
        (
            DESTINATION_REGION,
            f"the keys of {region}",
            lambda: list_bucket(DESTINATION_REGION, destination, aws.administrator(region)),
        ),
        (DESTINATION_REGION, "a token of an administrator", lambda: _exchange(mirror, token)),
    )
    for side, credentials, call in attempts:
        try:
            call()
            yield f"{side} accepts {credentials}"
        except ClientError as refused:
            screen.say(f"{side} refuses {credentials}: {refused.response['Error']['Code']}")


def _role_session(mirror: Mirror) -> dict[str, str]:
    """Assume the mirror's role as the function does; return the credentials as arguments of boto3's `client`."""
    aws, name = mirror.stack.aws, mirror.outputs["replicate_function_name"]
    role = aws.client("lambda").get_function_configuration(FunctionName=name)["Role"]
    function = roles.assume(role, session="demo", region=aws.region)
    return _exchange(mirror, _token(aws.client("sts", **function)))


def _token(sts: "STSClient") -> str:
    return sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="ES384")["WebIdentityToken"]


def _exchange(mirror: Mirror, token: str) -> dict[str, str]:
    sts: STSClient = mirror.stack.aws.client("sts", region_name=DESTINATION_REGION)
    credentials = sts.assume_role_with_web_identity(
        RoleArn=mirror.outputs["destination_role_arn"], RoleSessionName="demo", WebIdentityToken=token
    )["Credentials"]
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }
