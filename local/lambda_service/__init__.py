"""The Lambda service of the embedded AWS: it runs the deployed functions."""

from local.lambda_service.runtime import Runtime
from local.lambda_service.sandbox import Program, Sandbox
from local.lambda_service.service import LambdaService

__all__ = ["LambdaService", "Program", "Runtime", "Sandbox"]
