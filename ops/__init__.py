"""`brigade`, the command line for the person on call.

`cli.py` parses the command line. Each module in `commands/` holds one command, and is loaded when it is used.
`brigade.py` holds what every command works with: the deployment (`deployment.py`), AWS clients (`aws.py`) and the
output (`screen.py`).
"""
