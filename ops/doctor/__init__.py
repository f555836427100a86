"""`brigade doctor`: small checks of a deployment, which only read.

`subjects.py` lists what is checked, `facts.py` reads it, `checks/` holds the checks, and `checkup.py` runs them.
`needs.py` lists the permissions that each function needs.
"""
