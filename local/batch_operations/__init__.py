"""The batch service of the embedded AWS: it runs the jobs of S3 Batch Operations."""

from local.batch_operations.service import BatchOperations

__all__ = ["BatchOperations"]
