"""`python -m tests.chaos SEED EVENTS KEYS` carries out one run, and fails if anything is wrong at its end."""

import sys

from tests.chaos.run import run

if __name__ == "__main__":
    given_seed, given_events, given_keys = sys.argv[1:]
    sys.exit(bool(run(given_seed, int(given_events), int(given_keys))))
