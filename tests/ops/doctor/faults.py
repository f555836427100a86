"""Faults to plant: each function breaks one thing, and returns what `brigade doctor` has to find.

A finding is a tuple: check, verdict, a part of the sentence, the command.
"""

import json

from ops.doctor.names import names_of
from tests.ops.conftest import ARCHIVE, FINAL, MIRROR, REGION, RESTORED, SOURCE
from tests.ops.doctor.conftest import (
    ABORT,
    ADDRESSES,
    AUDIENCE,
    ROLES,
    arn_of,
    policy_of,
    put_target,
    service_may,
    statements_of,
    statements_of_destination,
)

PROBLEM, WARNING = "problem", "warning"


def mapping_disabled(world):
    uuid = world.mapping("upload_validate")["UUID"]
    world.lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
    command = f"aws lambda update-event-source-mapping --enabled --uuid {uuid} --region {REGION}"
    return "mapping", PROBLEM, "is Disabled", command


def failed_messages_ignored(world):
    uuid = world.mapping("archive_copy")["UUID"]
    world.lambda_.update_event_source_mapping(UUID=uuid, FunctionResponseTypes=[])
    options = f"--uuid {uuid} --function-response-types ReportBatchItemFailures --region {REGION}"
    return "mapping", PROBLEM, "ignores which messages failed", f"aws lambda update-event-source-mapping {options}"


def retries_taken_for_a_loop(world):
    name = world.functions["archive_copy"].label
    world.lambda_.put_function_recursion_config(FunctionName=name, RecursiveLoop="Terminate")
    options = f"--function-name {name} --recursive-loop Allow --region {REGION}"
    return "recursion", PROBLEM, "Terminate", f"aws lambda put-function-recursion-config {options}"


def failed_invocations_lost(world):
    world.lambda_.delete_function_event_invoke_config(FunctionName=world.functions["upload_validate"].label)
    address = "module.upload_validate[0].aws_lambda_function_event_invoke_config.this"
    return "on failure", PROBLEM, "go to nothing", f"terraform apply -target='{address}'"


def no_concurrency(world):
    name = world.functions["upload_validate"].label
    world.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    command = f"aws lambda delete-function-concurrency --function-name {name} --region {REGION}"
    return "reserved concurrency", WARNING, "is 2, and its queue may run 5", command


def permission_missing(world):
    names = names_of(world.functions["archive_copy"], world.configuration("archive_copy"))
    statements = statements_of("archive_copy", names)
    writes = next(each for each in statements if "s3:PutObjectTagging" in each["Action"])
    writes["Action"].remove("s3:PutObjectTagging")
    world.allow("archive_copy", *statements)
    sentence = f"lacks s3:PutObjectTagging on arn:aws:s3:::{ARCHIVE}/brigade-doctor: no policy allows it"
    return "permissions", PROBLEM, sentence, _apply("module.archive_copy[0].aws_iam_role_policy.this")


def no_dead_letters(world):
    url = world.deployment.archives[0].queues[0].url
    world.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    command = _apply("module.archive_copy_queue[0].aws_sqs_queue_redrive_policy.this")
    return "redrive", PROBLEM, "its dead letters go to no queue", command


def messages_return_early(world):
    url = world.deployment.archives[0].queues[0].url
    return _visible_after(world, url, 59, PROBLEM)


def messages_may_return_early(world):
    url = world.deployment.uploads[0].queues[0].url
    return _visible_after(world, url, 359, WARNING)


def _visible_after(world, url, seconds, verdict):
    world.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
    attributes = '\'{"VisibilityTimeout":"360"}\''
    command = f"aws sqs set-queue-attributes --queue-url {url} --attributes {attributes} --region {REGION}"
    return "visibility", verdict, f"is {seconds} s", command


def low_throughput(world):
    url = world.deployment.mirrors[0].fifo_queue
    attributes = {"FifoThroughputLimit": "perQueue", "DeduplicationScope": "queue"}
    world.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    wanted = '\'{"DeduplicationScope":"messageGroup","FifoThroughputLimit":"perMessageGroupId"}\''
    command = f"aws sqs set-queue-attributes --queue-url {url} --attributes {wanted} --region {REGION}"
    return "throughput", WARNING, "300 calls", command


def items_kept_for_ever(world):
    off = {"Enabled": False, "AttributeName": "expiration"}
    world.dynamodb.update_time_to_live(TableName="outcomes", TimeToLiveSpecification=off)
    options = f"--time-to-live-specification Enabled=true,AttributeName=expiration --region {REGION}"
    command = f"aws dynamodb update-time-to-live --table-name outcomes {options}"
    return "time to live", WARNING, "is DISABLED", command


def no_recovery(world):
    off = {"PointInTimeRecoveryEnabled": False}
    world.dynamodb.update_continuous_backups(TableName="outcomes", PointInTimeRecoverySpecification=off)
    on = f"--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true --region {REGION}"
    return "recovery", WARNING, "is off", f"aws dynamodb update-continuous-backups --table-name outcomes {on}"


def archive_without_versions(world):
    world.s3.put_bucket_versioning(Bucket=ARCHIVE, VersioningConfiguration={"Status": "Suspended"})
    return "versioning", WARNING, "is Suspended", _enable_versions(ARCHIVE)


def mirror_without_versions(world):
    world.far_s3.put_bucket_versioning(Bucket=MIRROR, VersioningConfiguration={"Status": "Suspended"})
    world.set("partition_replicate", VERSIONS="all")
    sentence = "Enabled at the source and Suspended at the mirror, and VERSIONS is all"
    return "both versions", PROBLEM, sentence, _enable_versions(MIRROR)


def _enable_versions(bucket):
    return f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"


def public_bucket(world):
    world.s3.delete_public_access_block(Bucket=FINAL)
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    block = ",".join(f"{name}=true" for name in names)
    command = f"aws s3api put-public-access-block --bucket {FINAL} --public-access-block-configuration {block}"
    return "public access", WARNING, "does not set BlockPublicAcls", command


def uploads_never_end(world):
    rule = {"ID": "own", "Status": "Enabled", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 3}}
    world.s3.put_bucket_lifecycle_configuration(Bucket=FINAL, LifecycleConfiguration={"Rules": [rule]})
    command = f"aws s3api put-bucket-lifecycle-configuration --bucket {FINAL} --lifecycle-configuration "
    wanted = {"Rules": [rule, ABORT | {"ID": "abort-stale-uploads"}]}
    return "incomplete uploads", WARNING, "no rule removes incomplete uploads", (command, wanted)


def notification_replaced(world):
    queue = world.sqs.create_queue(QueueName="theirs")["QueueUrl"]
    policy = service_may("s3.amazonaws.com", "sqs:SendMessage", f"arn:aws:s3:::{RESTORED}", arn_of(queue))
    world.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    theirs = {"Id": "theirs", "QueueArn": arn_of(queue), "Events": ["s3:ObjectRestore:Post"]}
    sent = {"QueueConfigurations": [theirs]}
    world.s3.put_bucket_notification_configuration(Bucket=RESTORED, NotificationConfiguration=sent)
    ours = {"QueueArn": arn_of(world.deployment.archives[0].queues[0].url), "Events": ["s3:ObjectRestore:Completed"]}
    command = f"aws s3api put-bucket-notification-configuration --bucket {RESTORED} --notification-configuration "
    wanted = {"QueueConfigurations": [theirs, ours]}
    return "notification", PROBLEM, "it has 1 other notifications", (command, wanted)


def event_bridge_off(world):
    world.s3.put_bucket_notification_configuration(Bucket=SOURCE, NotificationConfiguration={})
    command = f"aws s3api put-bucket-notification-configuration --bucket {SOURCE} --notification-configuration "
    return "eventbridge", PROBLEM, "sends no events to EventBridge", (command, {"EventBridgeConfiguration": {}})


def queue_refuses_bucket(world):
    queue = world.deployment.uploads[0].queues[0].url
    world.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    address = "module.upload_validate_queue[0].aws_sqs_queue.this"
    return "queue policy", PROBLEM, "does not let upload-bucket send", _apply(address)


def rule_disabled(world):
    world.events.disable_rule(Name="mirror")
    return "rule", PROBLEM, "is DISABLED", f"aws events enable-rule --name mirror --region {REGION}"


def undelivered_events_lost(world):
    put_target(world, {})
    address = "aws_cloudwatch_event_target.partition_replicate[0]"
    return "rule", PROBLEM, "undelivered events of the rule mirror go to no queue", _apply(address)


def source_account_expected(world):
    name = world.functions["partition_replicate_enqueue"].label
    world.lambda_.remove_permission(FunctionName=name, StatementId="AllowRule")
    rule = world.events.describe_rule(Name="mirror")["Arn"]
    allowed = {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com", "SourceArn": rule}
    world.lambda_.add_permission(FunctionName=name, StatementId="AllowRule", SourceAccount="1" * 12, **allowed)
    return "rule", PROBLEM, "names a source account", _apply("aws_lambda_permission.partition_replicate[0]")


def undelivered_queue_refuses(world):
    url = world.deployment.mirrors[0].undelivered
    world.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    address = "aws_sqs_queue.partition_replicate_undelivered[0]"
    return "undelivered", PROBLEM, "does not let EventBridge send", _apply(address)


def other_audience(world):
    provider = world.far_iam.list_open_id_connect_providers()["OpenIDConnectProviderList"][0]["Arn"]
    url = world.far_iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["Url"]
    world.far_iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    world.far_iam.create_open_id_connect_provider(Url=f"https://{url}", ClientIDList=["other"])
    options = f"--open-id-connect-provider-arn {provider} --client-id {AUDIENCE}"
    command = f"aws iam add-client-id-to-open-id-connect-provider {options}"
    return "federation", PROBLEM, f"does not accept the audience {AUDIENCE}", command


def destination_permission_missing(world):
    world.far_iam.put_role_policy(RoleName="mirror", PolicyName="more", PolicyDocument=policy_of(DENY_DELETE))
    sentence = f"lacks s3:DeleteObject on arn:aws-us-gov:s3:::{MIRROR}/brigade-doctor: a policy denies it"
    address = "aws_iam_role_policy.partition_replicate_destination[0]"
    return "destination permissions", PROBLEM, sentence, _apply(address)


def permission_of_the_check_missing(world):
    statements = statements_of_destination(world, "mirror_check")
    finds = next(each for each in statements if "s3:ListBucketMultipartUploads" in each["Action"])
    finds["Action"].remove("s3:ListBucketMultipartUploads")
    policy = policy_of(*statements)
    world.far_iam.put_role_policy(RoleName=ROLES["mirror_check"], PolicyName="task", PolicyDocument=policy)
    sentence = f"lacks s3:ListBucketMultipartUploads on arn:aws-us-gov:s3:::{MIRROR}: no policy allows it"
    return "destination permissions", PROBLEM, sentence, _apply("aws_iam_role_policy.mirror_check_destination[0]")


def role_of_the_check_trusts_another_function(world):
    name = ROLES["mirror_check"]
    policy = world.far_iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    equal = policy["Statement"][0]["Condition"]["StringEquals"]
    subject = next(key for key in equal if key.endswith(":sub"))
    equal[subject] = world.configuration("partition_replicate")["Role"]
    world.far_iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(policy))
    sentence = f"role/{name} does not trust this function's token: {subject} is {equal[subject]}"
    return "destination role", PROBLEM, sentence, _apply("aws_iam_role.mirror_check_destination[0]")


DENY_DELETE = {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}


def key_missing(world):
    world.ssm.delete_parameter(Name="/github")
    command = f"aws ssm put-parameter --name /github --type SecureString --value file://key --region {REGION}"
    return "entries", PROBLEM, "GITHUB_API_KEY names the parameter /github, which does not exist", command


def recipient_not_verified(world):
    world.ses.delete_identity(Identity=ADDRESSES[1])
    command = f"aws ses verify-email-identity --email-address {ADDRESSES[1]} --region {REGION}"
    return "mail", WARNING, "SES is in its sandbox", command


def _apply(address):
    return f"terraform apply -target='{address}'"


ALL = [value for name, value in list(vars().items()) if getattr(value, "__module__", "") == __name__ and name[0] != "_"]
