"""An add-on for Open Task Framework: files in S3, Lambda functions and SSM parameters.

`options` what a task's definition says · `plan` where each file goes, and what may not be · `listing` what lies in a
bucket · `attributes` what belongs to an object besides its bytes · `connections` clients and credentials ·
`bucket_copies` S3 to S3 · `worker_files` S3 to files and back · `removals` what becomes of the sources ·
`s3_handlers`, `lambda_handler`, `ssm_lookup` what the framework calls · `settings` the environment · `plugin` the names
by which the framework finds all this.
"""
