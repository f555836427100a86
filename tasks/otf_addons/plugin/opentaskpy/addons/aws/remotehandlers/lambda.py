"""The protocol `opentaskpy.addons.aws.remotehandlers.lambda.LambdaExecution`."""

from tasks.otf_addons.lambda_handler import LambdaExecution

__all__ = ["LambdaExecution"]
