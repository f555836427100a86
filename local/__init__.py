"""The deployed stack on one machine: embedded AWS, the Lambda service, the demo."""
