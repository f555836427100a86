"""Runs the functions that were deployed to the embedded AWS, as the Lambda service would."""

from local.lambda_service.runtime import Runtime
from local.lambda_service.sandbox import Program, Sandbox
from local.lambda_service.service import LambdaService

__all__ = ["LambdaService", "Program", "Runtime", "Sandbox"]
