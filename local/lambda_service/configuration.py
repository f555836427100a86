"""The configuration of a function that its sandboxes depend on."""

from typing import Any

from moto.awslambda.models import LambdaFunction


def fingerprint(function: LambdaFunction) -> tuple[Any, ...]:
    """Return a value that changes with the function; sandboxes of equal fingerprints are interchangeable."""
    return (
        function.code_sha_256,
        function.handler,
        function.role,
        function.run_time,
        function.timeout,
        function.memory_size,
        dict(function.environment_vars),
        dict(_logging(function)),
    )


def log_group(function: LambdaFunction) -> str:
    """Return the log group of a function."""
    return _logging(function).get("LogGroup") or str(function.logs_group_name)


def sandbox_environment(
    function: LambdaFunction, *, log_stream: str, endpoint_url: str, credentials: dict[str, str]
) -> dict[str, str]:
    """Return the environment of a sandbox: the function's own variables and those that Lambda sets.

    See https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    reserved = {
        "_HANDLER": function.handler,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": _logging(function).get("LogFormat", "Text"),
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(function),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_REGION": function.region,
        "TZ": ":UTC",
        **{name.upper(): value for name, value in credentials.items()},
    }
    if level := _logging(function).get("ApplicationLogLevel"):
        reserved["AWS_LAMBDA_LOG_LEVEL"] = level
    return {"LANG": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", **function.environment_vars, **reserved}


def _logging(function: LambdaFunction) -> dict[str, str]:
    return getattr(function, "logging_config", None) or {}
