import json
import time
from base64 import b64encode
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from local.demo import access_keys
from local.embedded_aws import EmbeddedAws
from local.stack import Stack
from tests.local.lambda_deployment import REGION, TRUST_LAMBDA, zipped
from tests.secrets.search import canary


class SearchedStack:
    """A deployment without an access key, and a user of the other partition with one."""

    def __init__(self, aws, folder):
        self.aws, self.folder = aws, folder
        self.lines = ["a line"]
        (folder / "terraform.tfstate").write_text("{}", encoding="utf-8")
        aws.client("secretsmanager").create_secret(Name="secret", SecretString="a-token")
        role = aws.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
        about = {"Role": role["Role"]["Arn"], "Handler": "m.handler", "Runtime": "python3.13"}
        aws.client("lambda").create_function(FunctionName="f", Code={"ZipFile": zipped("")}, **about)
        aws.client("logs").create_log_group(logGroupName="g")
        aws.client("logs").create_log_stream(logGroupName="g", logStreamName="s")
        administrator = aws.administrator("us-gov-west-1")
        self.key = [administrator["aws_access_key_id"], administrator["aws_secret_access_key"]]

    def in_the_state(self, text):
        (self.folder / "terraform.tfstate.backup").write_text(f'{{"value": "{text}"}}', encoding="utf-8")

    def in_an_environment(self, text):
        environment = {"Variables": {"KEY": text}}
        self.aws.client("lambda").update_function_configuration(FunctionName="f", Environment=environment)

    def in_a_secret(self, text):
        self.aws.client("secretsmanager").put_secret_value(SecretId="secret", SecretString=json.dumps({"key": text}))

    def in_a_log(self, text):
        self.lines.append(f"the key is {text}")

    def in_a_log_group(self, text):
        event = {"timestamp": int(time.time() * 1000), "message": text}
        self.aws.client("logs").put_log_events(logGroupName="g", logStreamName="s", logEvents=[event])

    def found(self, *tokens):
        functions = SimpleNamespace(logs=lambda name: self.lines)
        return access_keys.found(Stack(self.aws, functions, None, {}, self.folder), tokens)


@pytest.fixture(name="searched")
def deployment_that_is_searched(tmp_path):
    with EmbeddedAws(region=REGION) as aws:
        yield SearchedStack(aws, tmp_path)


LEAKS = {
    SearchedStack.in_the_state: "Terraform's state terraform.tfstate.backup holds an access key",
    SearchedStack.in_an_environment: "the environment of f holds an access key",
    SearchedStack.in_a_secret: "the secret secret holds an access key",
    SearchedStack.in_a_log: "the log of f holds an access key",
    SearchedStack.in_a_log_group: "the log group g holds an access key",
}

FORMS = {
    "unchanged": str,
    "URL-quoted": quote,
    "in base64": lambda token: b64encode(f"Token {token}".encode()).decode(),
}


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_access_key_is_found_in_every_place(searched, leak):
    assert searched.found() == []
    key_id, secret = searched.key
    leak(searched, secret)
    assert searched.found() == [LEAKS[leak]]
    assert not any(secret in line or key_id in line for line in searched.found())


@pytest.mark.parametrize(
    "leak", [leak for leak in LEAKS if leak is not SearchedStack.in_a_secret], ids=lambda leak: leak.__name__
)
@pytest.mark.parametrize("form", FORMS)
def test_secret_of_another_service_is_found_in_every_place_and_encoding(searched, leak, form):
    token = f"{canary('webhook key')}+/="
    leak(searched, FORMS[form](token))
    assert searched.found() == []
    assert searched.found(token) == [LEAKS[leak].replace("an access key", "a secret")]


def test_id_of_an_unknown_key_is_found(searched):
    searched.in_a_log("AKIAIOSFODNN7EXAMPLE")
    assert searched.found() == [LEAKS[SearchedStack.in_a_log]]


def test_user_of_the_deployment_with_a_key_is_found(searched):
    iam = searched.aws.client("iam", region_name="us-gov-west-1")
    iam.create_user(UserName="mirror")
    assert searched.found() == []
    iam.create_access_key(UserName="mirror")
    assert searched.found() == ["the user mirror has an access key"]
