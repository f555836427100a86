"""Cases of tests that prove a promise in a second way, which `make test-long` runs."""

from collections import Counter


def run_once_by_way_of_botocore(items):
    """Mark as long all cases of a test with `direct` that send by way of botocore, except its first one.

    Both ways run the same code above the client, so each further input proves most in the way that the tasks prefer.
    """
    seen = set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        inputs = item.callspec.params if hasattr(item, "callspec") else {}
        if inputs.get("direct", True) or item.get_closest_marker("long"):
            continue
        if test in seen:
            item.add_marker("long")
        seen.add(test)


def leave_further_cases(items):
    """Mark as long the further cases of a test with `first_cases(number)`, whose first ones prove most."""
    seen = Counter()
    for item in items:
        marker = item.get_closest_marker("first_cases")
        if marker and not item.get_closest_marker("long"):
            test = item.nodeid.partition("[")[0]
            seen[test] += 1
            if seen[test] > marker.args[0]:
                item.add_marker("long")
