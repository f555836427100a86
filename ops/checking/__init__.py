"""The parts of `brigade check`.

`sides.py` makes the clients of both sides, and `report.py` writes the output. The comparison itself is
`tasks.mirror_check`.
"""
