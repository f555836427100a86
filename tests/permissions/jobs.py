"""The use of the roles of S3 Batch Operations: a job that passes objects to a task, as `brigade backfill` starts it."""

from ops.aws import Account
from tests.local.lambda_deployment import eventually
from tests.permissions.steps import SECONDS


def use_jobs(stack):
    """Pass the objects that the other parts of the run left to both tasks that take jobs."""
    tasks = (("archive_copy", "function_arn", "noted"), ("partition_replicate", "replicate_function_arn", "slow"))
    for task, function, prefix in tasks:
        outputs = stack.outputs[task]
        run_job(stack.aws, outputs, outputs[function], prefix)


def run_job(aws, outputs, function_arn, prefix):
    keys = (aws.admin_credentials["aws_access_key_id"], aws.admin_credentials["aws_secret_access_key"])
    control = Account(aws.region, endpoint_url=aws.endpoint_url).client("s3control", keys=keys)
    generator = {
        "SourceBucket": f"arn:aws:s3:::{outputs['source_bucket']}",
        "Filter": {"KeyNameConstraint": {"MatchAnyPrefix": [prefix]}},
        "EnableManifestOutput": False,
    }
    report = {
        "Enabled": True,
        "Bucket": f"arn:aws:s3:::{outputs['report_bucket']}",
        "Prefix": "backfill",
        "Format": "Report_CSV_20180820",
        "ReportScope": "AllTasks",
    }
    job = control.create_job(
        AccountId=aws.account_id,
        ConfirmationRequired=False,
        ClientRequestToken=function_arn,
        Operation={"LambdaInvoke": {"FunctionArn": function_arn}},
        ManifestGenerator={"S3JobManifestGenerator": generator},
        Report=report,
        Priority=10,
        RoleArn=outputs["batch_role_arn"],
    )["JobId"]
    address = {"AccountId": aws.account_id, "JobId": job}
    eventually(lambda: control.describe_job(**address)["Job"]["Status"] == "Complete", SECONDS)
