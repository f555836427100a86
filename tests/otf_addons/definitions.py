"""The definitions of the tests' tasks, as users of the framework write them."""

S3_TRANSFER = "opentaskpy.addons.aws.remotehandlers.s3.S3Transfer"
S3_EXECUTION = "opentaskpy.addons.aws.remotehandlers.s3.S3Execution"
LAMBDA_EXECUTION = "opentaskpy.addons.aws.remotehandlers.lambda.LambdaExecution"


def source(bucket, *, protocol=None, **options):
    named = {"bucket": bucket, "directory": "src", "fileRegex": ".*", **options}
    return {**{name: value for name, value in named.items() if value is not None}, "protocol": s3(protocol)}


def destination(bucket, *, protocol=None, **options):
    named = {"bucket": bucket, "directory": "dest", **options}
    return {**{name: value for name, value in named.items() if value is not None}, "protocol": s3(protocol)}


def s3(protocol=None):
    return {"name": S3_TRANSFER, **(protocol or {})}


def local(folder, **options):
    return {"directory": str(folder), "protocol": {"name": "local"}, **options}


def transfer(given, *destinations):
    return {"type": "transfer", "source": given, **({"destination": list(destinations)} if destinations else {})}


def touch(bucket, key, handler=S3_TRANSFER, **protocol):
    return {"type": "execution", "bucket": bucket, "key": key, "protocol": {"name": handler, **protocol}}


def invoke(function, *, protocol=None, **options):
    return {
        "type": "execution",
        "functionArn": function,
        "protocol": {"name": LAMBDA_EXECUTION, **(protocol or {})},
        **options,
    }
