"""A role in another partition that trusts the tokens of the function's role, and ways to set it up wrong."""

import json
import re
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import botocore.session
from moto.core.authorization import enable_iam_authentication

from tests.conftest import REGION, client_of_the_tests
from tests.partition_replicate.conftest import MIRROR, MIRROR_REGION

AUDIENCE = "bucket-brigade"
LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def role(name, trust, *allowed, region=REGION):
    """The ARN of a new role that may do some things, each a tuple of action and resource."""
    iam = client_of_the_tests("iam", region)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="task", PolicyDocument=policy)
    return arn


# One attribute for each resource of the two partitions.
class Federation:  # pylint: disable=too-many-instance-attributes
    """The function's role and that of the destination, each in its partition."""

    def __init__(self, world):
        self.world = world
        self.here, self.there = client_of_the_tests("iam", REGION), client_of_the_tests("iam", MIRROR_REGION)
        self.issuer = self.here.enable_outbound_web_identity_federation()["IssuerIdentifier"]
        allowed = [(action, "*") for action in ("sts:GetWebIdentityToken", "s3:*", "dynamodb:*", "sqs:*")]
        self.function = role("function", LAMBDA, *allowed)
        provider = self.there.create_open_id_connect_provider(Url=self.issuer, ClientIDList=[AUDIENCE])
        self.provider = provider["OpenIDConnectProviderArn"]
        on_mirror = [f"arn:aws-us-gov:s3:::{MIRROR}", f"arn:aws-us-gov:s3:::{MIRROR}/*"]
        self.mirror = role("mirror", self.trust(), ("s3:*", on_mirror), region=MIRROR_REGION)
        self.sent, self.session_id, self.refused, self.status, self.code = [], None, None, None, None

    def trust(self, subject=None):
        host = self.issuer.removeprefix("https://")
        return {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": self.provider},
            "Condition": {"StringEquals": {f"{host}:aud": AUDIENCE, f"{host}:sub": subject or self.function}},
        }

    def session(self):
        """A session with the credentials of the function's role, as Lambda gives them."""
        sts = client_of_the_tests("sts", REGION)
        made = sts.assume_role(RoleArn=self.function, RoleSessionName="function")["Credentials"]
        session = botocore.session.Session()
        session.set_credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
        session.set_config_variable("region", REGION)
        events = session.get_component("event_emitter")
        events.register("before-send.sts", self._note)
        events.register_first("before-send.s3", self._refuse)
        return session

    def _refuse(self, request, **_):
        """Has the destination refuse a session; the answer to a HEAD has no body."""
        if MIRROR_REGION not in str(request.headers.get("Authorization")):
            return None
        self.session_id = re.search("Credential=([^/]+)", str(request.headers["Authorization"]))[1]
        if self.session_id != self.refused:
            return None
        body = f"<Error><Code>{self.code}</Code><Message>Refused</Message></Error>".encode()
        content = b"" if request.method == "HEAD" else body
        return SimpleNamespace(status_code=self.status, headers={}, raw=None, content=content, text=content.decode())

    def refuse_the_session(self, status, code):
        self.refused, self.status, self.code = self.session_id, status, code

    def _note(self, request, **_):
        asked = {name: values[0] for name, values in parse_qs(request.body).items()}
        signed = "Authorization" in request.headers
        self.sent.append(SimpleNamespace(host=urlsplit(request.url).hostname, asked=asked, signed=signed))

    def exchanges(self):
        """How many tokens were exchanged."""
        return len(self.tokens())

    def tokens(self):
        return [request.asked["WebIdentityToken"] for request in self.sent if "WebIdentityToken" in request.asked]

    def replicate(self, *events):
        with enable_iam_authentication():
            return self.world.replicate(*events)

    # Ways in which the set-up can be wrong, each with what puts it right again.

    def disabled(self):
        self.here.disable_outbound_web_identity_federation()
        return self.here.enable_outbound_web_identity_federation

    def without_permission(self):
        policy = self.here.get_role_policy(RoleName="function", PolicyName="task")["PolicyDocument"]
        return self._with_policy(policy, policy["Statement"][1:])

    def _with_policy(self, before, statements):
        def put(policy):
            self.here.put_role_policy(RoleName="function", PolicyName="task", PolicyDocument=json.dumps(policy))

        put({**before, "Statement": statements})
        return lambda: put(before)

    def with_another_audience(self):
        named = {"OpenIDConnectProviderArn": self.provider, "Url": self.issuer}
        self.there.delete_open_id_connect_provider(OpenIDConnectProviderArn=self.provider)
        self.there.create_open_id_connect_provider(Url=self.issuer, ClientIDList=["another"])

        def put_right():
            self.there.delete_open_id_connect_provider(OpenIDConnectProviderArn=named["OpenIDConnectProviderArn"])
            self.there.create_open_id_connect_provider(Url=self.issuer, ClientIDList=[AUDIENCE])

        return put_right

    def without_provider(self):
        self.there.delete_open_id_connect_provider(OpenIDConnectProviderArn=self.provider)
        return lambda: self.there.create_open_id_connect_provider(Url=self.issuer, ClientIDList=[AUDIENCE])

    def with_another_subject(self):
        def put(trust):
            policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
            self.there.update_assume_role_policy(RoleName="mirror", PolicyDocument=policy)

        put(self.trust(self.function + "-2"))
        return lambda: put(self.trust())
