import functools
import json
import time

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.authorization import enable_iam_authentication
from moto.core.utils import utcnow
from moto.sts.models import sts_backends

from local.embedded_aws import EmbeddedAws
from local.patches import sts_federation
from local.patches.tokens import ES384, RS256, Issuer, claims_of
from tests.local import patching
from tests.local.patching import ACCOUNT, FAILURES_OF_BARE_MOTO, REGION, session

THERE = "us-gov-west-1"
AUDIENCE = "bucket-brigade"

# moto raises NotImplementedError for unknown calls.
patched = functools.partial(patching.patched, raises=(*FAILURES_OF_BARE_MOTO, NotImplementedError))


def client(service, region=REGION, **keys):
    return session().client(service, region_name=region, **keys)


def role(name, trust, *statements, region=REGION):
    """Create a role, and return its ARN."""
    iam = client("iam", region)
    trust = {"Version": "2012-10-17", "Statement": [trust]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="task", PolicyDocument=json.dumps(policy))
    return arn


def keys_of(credentials):
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def token_permission(**condition):
    allowed = {"Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*"}
    return {**allowed, "Condition": condition} if condition else allowed


OF_LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


class Federation:
    """A function's role in one partition, and the role that it may assume in another."""

    def __init__(self, *, audience=AUDIENCE, region=REGION, there=THERE, permission=None):
        self.region, self.there = region, there
        self.issuer = client("iam", region).enable_outbound_web_identity_federation()["IssuerIdentifier"]
        self.function = role("function", OF_LAMBDA, permission or token_permission(), region=region)
        self.other = role("other", OF_LAMBDA, token_permission(), region=region)
        self.provider = client("iam", there).create_open_id_connect_provider(Url=self.issuer, ClientIDList=[audience])
        self.provider = self.provider["OpenIDConnectProviderArn"]
        host = self.issuer.removeprefix("https://")
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": self.provider},
            "Condition": {"StringEquals": {f"{host}:aud": AUDIENCE, f"{host}:sub": self.function}},
        }
        self.mirror = role("mirror", trust, {"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}, region=there)

    def sts(self, of):
        """Return an STS client of the source's partition with a role."""
        assumed = client("sts", self.region).assume_role(RoleArn=of, RoleSessionName="session")
        return client("sts", self.region, **keys_of(assumed["Credentials"]))

    def token(self, of=None, *, audience=(AUDIENCE,), algorithm=ES384, **more):
        asked = {"Audience": list(audience), "SigningAlgorithm": algorithm, "DurationSeconds": 300, **more}
        return self.sts(of or self.function).get_web_identity_token(**asked)["WebIdentityToken"]

    def exchange(self, token, *, region=None, role_arn=None):
        sts = client("sts", region or self.there)
        asked = {"RoleArn": role_arn or self.mirror, "RoleSessionName": "mirror"}
        return sts.assume_role_with_web_identity(**asked, WebIdentityToken=token)

    def refusal(self, token, **how):
        with pytest.raises(ClientError) as refused:
            self.exchange(token, **how)
        error = refused.value.response
        return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"], error["Error"]["Message"]


def denied(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


ISSUES = (sts_federation.enable_federation, sts_federation.issue_token)
EXCHANGES = (sts_federation.exchange_token,)


@patched(sts_federation.enable_federation, sts_federation.disable_federation, sts_federation.get_federation_info)
def test_account_has_an_issuer_once_federation_is_enabled(stage):
    iam = stage.client("iam")
    assert stage.refusal(iam.get_outbound_web_identity_federation_info) == (404, "FeatureDisabled")
    assert stage.refusal(iam.disable_outbound_web_identity_federation) == (404, "FeatureDisabled")
    issuer = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert issuer.startswith("https://")
    assert stage.refusal(iam.enable_outbound_web_identity_federation) == (409, "FeatureEnabled")
    said = iam.get_outbound_web_identity_federation_info()
    assert (said["IssuerIdentifier"], said["JwtVendingEnabled"]) == (issuer, True)
    iam.disable_outbound_web_identity_federation()
    assert iam.enable_outbound_web_identity_federation()["IssuerIdentifier"] == issuer
    there = client("iam", THERE).enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert there != issuer


@patched(*ISSUES)
def test_token_has_issuer_audience_subject_and_expiry(_stage):
    world = Federation()
    claims = claims_of(world.token())
    assert (claims["iss"], claims["aud"], claims["sub"]) == (world.issuer, AUDIENCE, world.function)
    assert claims["exp"] - claims["iat"] == 300
    assert claims["https://sts.amazonaws.com/"] == {"aws_account": ACCOUNT, "source_region": REGION}


@patched(sts_federation.issue_token)
def test_no_token_is_issued_before_federation_is_enabled(stage):
    asked = {"Audience": [AUDIENCE], "SigningAlgorithm": ES384}
    code = "OutboundWebIdentityFederationDisabledException"
    assert stage.refusal(stage.client("sts").get_web_identity_token, **asked) == (403, code)


@patched(*EXCHANGES)
def test_token_is_exchanged_for_credentials_that_work_only_in_the_other_partition(_stage):
    world = Federation()
    for algorithm in (ES384, RS256):
        answer = world.exchange(world.token(algorithm=algorithm))
        assert answer["SubjectFromWebIdentityToken"] == world.function
        assert (answer["Audience"], answer["Provider"]) == (AUDIENCE, world.provider)
        assert answer["Credentials"]["Expiration"].timestamp() == pytest.approx(time.time() + 3600, abs=60)
        keys = keys_of(answer["Credentials"])
        there, here = client("s3", THERE, **keys), client("s3", REGION, **keys)
        with enable_iam_authentication():
            assert there.list_buckets()["Buckets"] == []
            assert denied(here.list_buckets) == "InvalidAccessKeyId"
            assert denied(there.get_bucket_acl, Bucket="mirror") == "AccessDenied"


@patched(*EXCHANGES)
def test_wrong_audience_is_refused_by_the_provider(_stage):
    world = Federation()
    refused = world.refusal(world.token(audience=["another"]))
    assert refused == (400, "InvalidIdentityToken", "Incorrect token audience")


@patched(*EXCHANGES)
def test_wrong_audience_is_refused_by_the_role(_stage):
    world = Federation(audience="another")
    assert world.refusal(world.token(audience=["another"]))[:2] == (403, "AccessDenied")


@patched(*EXCHANGES)
def test_second_audience_is_refused(_stage):
    world = Federation()
    assert world.refusal(world.token(audience=[AUDIENCE, "another"]))[:2] == (400, "InvalidIdentityToken")


@patched(*EXCHANGES)
def test_token_of_another_function_is_refused(_stage):
    world = Federation()
    assert world.refusal(world.token(world.other))[:2] == (403, "AccessDenied")


@patched(*EXCHANGES)
def test_expired_token_is_refused(_stage):
    world = Federation()
    expired = {**claims_of(world.token()), "exp": int(time.time()) - 1}
    issuer = sts_federation._issuer_of(world.issuer)  # pylint: disable=protected-access  # only it can sign an expired token
    assert world.refusal(issuer.sign(expired, ES384))[:2] == (400, "ExpiredTokenException")


@patched(*EXCHANGES)
def test_forged_token_is_refused(_stage):
    world = Federation()
    claims = claims_of(world.token(world.other))
    forger = Issuer(world.issuer, "aws")
    for algorithm in (ES384, RS256):
        forged = forger.sign({**claims, "sub": world.function}, algorithm)
        assert world.refusal(forged)[:2] == (400, "InvalidIdentityToken")
    # A token whose claims were changed, and tokens without a signature.
    head, _, signature = world.token(world.other).split(".")
    _, payload, _ = forged.split(".")
    unsigned = "eyJhbGciOiJub25lIn0"
    for token in (f"{head}.{payload}.{signature}", f"{unsigned}.{payload}.", "no.token.at-all", "nothing"):
        assert world.refusal(token)[:2] == (400, "InvalidIdentityToken")


@patched(*EXCHANGES)
def test_unknown_issuer_is_refused(_stage):
    world = Federation()
    token = world.token()
    client("iam", THERE).delete_open_id_connect_provider(OpenIDConnectProviderArn=world.provider)
    status, code, message = world.refusal(token)
    assert (status, code) == (400, "InvalidIdentityToken")
    assert message == f"No OpenIDConnect provider found in your account for {world.issuer}"


@patched(*EXCHANGES, sts_federation.resolve_partition_of_govcloud)
def test_provider_is_known_only_in_its_own_partition(_stage):
    world = Federation()
    assert client("iam", THERE).list_open_id_connect_providers()["OpenIDConnectProviderList"] != []
    for region in (REGION, "cn-north-1"):
        assert client("iam", region).list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    elsewhere = world.mirror.replace("aws-us-gov", "aws-cn")
    assert world.refusal(world.token(), region="cn-north-1", role_arn=elsewhere)[:2] == (400, "InvalidIdentityToken")


@patched(*EXCHANGES)
def test_role_is_assumed_only_at_the_endpoint_of_its_partition(_stage):
    world = Federation()
    assert world.refusal(world.token(), region=REGION)[:2] == (403, "AccessDenied")


@patched(*EXCHANGES)
def test_token_is_refused_in_the_partition_that_issued_it(_stage):
    world = Federation(there="eu-central-1")
    assert world.refusal(world.token())[:2] == (400, "InvalidIdentityToken")


@patched(*EXCHANGES)
def test_missing_role_is_refused_like_a_role_without_trust(_stage):
    world = Federation()
    assert world.refusal(world.token(), role_arn=f"{world.mirror}-2")[:2] == (403, "AccessDenied")


@patched(sts_federation.expire_sessions, sts_federation.report_expired_session)
def test_expired_session_is_refused(_stage):
    world = Federation()
    answer = world.exchange(world.token())
    s3 = client("s3", THERE, **keys_of(answer["Credentials"]))
    with enable_iam_authentication():
        s3.list_buckets()
        sts_backends[ACCOUNT]["aws-us-gov"].assumed_roles[-1].expiration = utcnow()
        with pytest.raises(ClientError) as refused:
            s3.list_buckets()
    error = refused.value.response
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == (400, "ExpiredToken")


@patched()
def test_every_pair_of_partitions_federates(_stage):
    world = Federation(region="us-gov-west-1", there="cn-north-1")
    assert world.exchange(world.token())["AssumedRoleUser"]["Arn"].startswith("arn:aws-cn:sts::")


@patched(
    *ISSUES,
    sts_federation.collect_token_conditions,
    sts_federation.check_token_conditions,
)
def test_policy_limits_the_tokens_that_a_role_may_request(_stage):
    conditions = {
        "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": AUDIENCE},
        "NumericLessThanEquals": {"sts:DurationSeconds": "300"},
        "StringEquals": {"sts:SigningAlgorithm": ES384},
    }
    world = Federation(permission=token_permission(**conditions))
    function, without_permission = world.sts(world.function), world.sts(role("without-permission", OF_LAMBDA))
    asked = {"Audience": [AUDIENCE], "SigningAlgorithm": ES384, "DurationSeconds": 300}
    with enable_iam_authentication():
        assert function.get_web_identity_token(**asked)["WebIdentityToken"]
        for wrong in ({"Audience": ["another"]}, {"DurationSeconds": 301}, {"SigningAlgorithm": RS256}):
            assert denied(function.get_web_identity_token, **{**asked, **wrong}) == "AccessDenied"
        assert denied(without_permission.get_web_identity_token, **asked) == "AccessDenied"


@patched(sts_federation.accept_unsigned_token_exchange, sts_federation.issue_token)
def test_exchange_is_unsigned_and_the_request_for_a_token_is_signed(_stage):
    world = Federation()
    token = world.token()
    with enable_iam_authentication():
        assert world.exchange(token)["Credentials"]


def test_token_is_issued_and_exchanged_at_the_embedded_aws_without_a_region_in_the_request():
    with EmbeddedAws(account_id=ACCOUNT) as aws:
        issuer = aws.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]
        iam, host = aws.client("iam", region_name=THERE), issuer.removeprefix("https://")
        provider = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[AUDIENCE])["OpenIDConnectProviderArn"]
        trust = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": provider}}
        trust["Condition"] = {"StringEquals": {f"{host}:aud": AUDIENCE}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName="mirror", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
        asked = {"Audience": [AUDIENCE], "SigningAlgorithm": ES384}
        token = aws.client("sts").get_web_identity_token(**asked)["WebIdentityToken"]
        assert claims_of(token)["sub"].endswith(":user/administrator")
        anonymous = boto3.session.Session().client("sts", endpoint_url=aws.endpoint_url, region_name=THERE)
        assumed = anonymous.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="mirror", WebIdentityToken=token)
        assert assumed["AssumedRoleUser"]["Arn"].startswith("arn:aws-us-gov:sts::")
