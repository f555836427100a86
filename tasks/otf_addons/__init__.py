"""An add-on for Open Task Framework: files in S3, Lambda functions and SSM parameters.

- `options`: the definition of a task
- `settings`: the environment
- `plan`: where each file goes, and which plans are refused
- `listing`: the objects of a bucket
- `attributes`: what belongs to an object besides its bytes
- `annotations`: which annotations of a source its copy has
- `connections`: clients and credentials
- `bucket_copies`: from S3 to S3
- `worker_files`: from S3 to files and back
- `removals`: how sources are deleted or moved after their copy
- `s3_handlers`, `lambda_handler`, `ssm_lookup`: the classes and the function that the framework calls
- `task_log`: the framework's loggers
- `plugin`: the names by which the framework finds all this
"""
