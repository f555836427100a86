"""Commands of the Makefile that package, upload and check the tasks; none runs in a Lambda function."""
