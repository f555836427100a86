"""The protocols `opentaskpy.addons.aws.remotehandlers.s3.S3Transfer` and `...s3.S3Execution`."""

from tasks.otf_addons.s3_handlers import S3Execution, S3Transfer

__all__ = ["S3Execution", "S3Transfer"]
