"""Runs the demo: `python -m local.demo`, after `make dist`. `KEEP=1` leaves it up until Ctrl-C."""

import argparse
import json
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from local import stack
from local.demo import archive_copy, partition_replicate, upload_validate
from local.demo.keep import keep_up
from local.demo.outside import outside
from local.demo.screen import Screen
from local.terraform import DeploymentError

ROOT = Path(__file__).parent.parent.parent

# What a shell says of a program that Ctrl-C ended: 128 and the signal's number.
INTERRUPTED = 130


def main() -> int:
    """Shows every part of the demo, writes its summary, and says in one line how it went.

    Returns:
        The exit status: 0 when nothing was lost and everything went as it should.
    """
    # However we are asked to end, the same clean-up runs; a shell that starts us in the background ignores SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    default = ROOT / "build" / "demo"
    parser.add_argument("--folder", type=Path, default=default, help="where Terraform works and summary.json goes")
    folder = parser.parse_args().folder
    screen = Screen()
    try:
        return _show(screen, folder)
    except DeploymentError as error:
        screen.failure(str(error))
        return 1
    except KeyboardInterrupt:
        screen.say("stopped; nothing is left running")
        return INTERRUPTED


def _show(screen: Screen, folder: Path) -> int:
    started = time.monotonic()
    work = {"folder": folder / "terraform", "prepare": partition_replicate.prepare}
    screen.title("Bucket Brigade, on this machine")
    with ExitStack() as up:
        world = up.enter_context(outside())
        variables = {
            "package_dir": str(ROOT / "dist"),
            **archive_copy.VARIABLES,
            **partition_replicate.VARIABLES,
            **upload_validate.variables(world),
        }
        with screen.applying() as on_progress:
            running = up.enter_context(stack.running(variables, on_progress=on_progress, **work))
        results = [
            archive_copy.run(running, screen),
            partition_replicate.run(running, screen),
            upload_validate.run(running, world, screen),
        ]
        summary = {name: value for result in results for name, value in result.summary.items()}
        summary["seconds"] = round(time.monotonic() - started, 1)
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        for result in results:
            screen.verdict(result.sentence, sound=result.sound)
        if os.environ.get("KEEP", "") not in ("", "0"):
            keep_up(running, screen)
    return 0 if all(result.sound for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
