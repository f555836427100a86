"""Run the demo: `python -m local.demo`, after `make dist`. With `KEEP=1` it stays up until Ctrl-C.

With `BUILD=1` it shows a build instead, see `local.demo.build`.
"""

import argparse
import json
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from local import stack
from local.demo import archive_copy, build, partition_replicate, upload_validate
from local.demo.external_services import external_services
from local.demo.keep import keep_up
from local.demo.parts import parts_of
from local.demo.recording import Recording
from local.demo.screen import Screen
from local.embedded_aws import EmbeddedAws
from local.terraform import DeploymentError

ROOT = Path(__file__).parent.parent.parent

# The shell's exit status of a program that Ctrl-C ended: 128 plus the signal's number.
INTERRUPTED = 130


def main() -> int:
    """Show every part of the demo, write its summary, and print one line with each result.

    Returns:
        The exit status: 0 if nothing was lost and everything went as expected.
    """
    # Both signals run the same clean-up. A shell that starts the demo in the background makes it ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    options = _options()
    recording = Recording("make demo") if options.record else None
    screen = Screen(recording=recording)
    try:
        show = build.show if os.environ.get("BUILD", "") not in ("", "0") else _show
        status = show(screen, options.folder)
    except DeploymentError as error:
        screen.failure(str(error))
        return 1
    except KeyboardInterrupt:
        screen.say("stopped; nothing is left running")
        return INTERRUPTED
    if recording and not status:
        recording.save(options.record)
    return status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    default = ROOT / "build" / "demo"
    parser.add_argument("--folder", type=Path, default=default, help="working folder of Terraform and summary.json")
    parser.add_argument("--record", type=Path, help="write an abridged picture of a successful run, as SVG")
    return parser.parse_args()


def _show(screen: Screen, folder: Path) -> int:
    started = time.monotonic()
    screen.title("Bucket Brigade, on this machine")
    parts = parts_of(ROOT).values()

    def prepare(aws: EmbeddedAws) -> dict[str, str]:
        for part in parts:
            part.prepare(aws)
        return partition_replicate.prepare(aws)

    with ExitStack() as up:
        services = up.enter_context(external_services())
        variables = {
            "package_dir": str(ROOT / "dist"),
            **archive_copy.VARIABLES,
            **partition_replicate.VARIABLES,
            **upload_validate.variables(services),
        }
        for part in parts:
            variables.update(part.VARIABLES)
        with screen.applying() as on_progress:
            running = up.enter_context(
                stack.running(
                    variables,
                    folder=folder / "terraform",
                    on_progress=on_progress,
                    prepare=prepare,
                )
            )
        results = [
            archive_copy.run(running, screen),
            partition_replicate.run(running, screen),
            upload_validate.run(running, services, screen),
            *(part.run(running, screen) for part in parts),
        ]
        summary: dict[str, float] = {name: value for result in results for name, value in result.summary.items()}
        summary["seconds"] = round(time.monotonic() - started, 1)
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        for result in results:
            screen.verdict(result.sentence, passed=result.passed)
        if os.environ.get("KEEP", "") not in ("", "0"):
            keep_up(running, screen)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
