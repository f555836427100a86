"""The parts of `brigade check`.

`sides.py` makes the clients of both sides, `circumstances.py` asks what is known of the mirror as a whole, `report.py`
writes the output, and `repair.py` sends keys to the mirror's queue. The comparison itself is `tasks.mirror_check`.
"""
