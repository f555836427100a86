"""The parts of `brigade check`; the comparison itself is `tasks.mirror_check`.

For a mirror, `sides.py` makes the clients of both sides, `circumstances.py` asks what is known of the mirror as a
whole, and `repair.py` sends keys to its queue. `archives.py` compares restored objects with their archives.
`report.py` writes the output.
"""
