"""The deployed stack on one machine: the embedded AWS, the Lambda service, the demo."""
