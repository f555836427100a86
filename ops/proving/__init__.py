"""`brigade prove`: a canary through the deployed stack.

`promises.py` has what a promise is and how it is waited for; `mirror.py`, `archive.py` and `uploads.py` have the
promises of each task. `side.py` reads, writes and empties a bucket; `cleaning.py` removes what a run made, and
`report.py` describes it.
"""
