"""What the Makefile calls to package, upload and check the tasks; nothing here runs in a Lambda function."""
