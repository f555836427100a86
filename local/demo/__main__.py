"""Run the demo: `python -m local.demo`, after `make dist`. With `KEEP=1` it stays up until Ctrl-C.

With `BUILD=1` it shows a build instead, see `local.demo.build`.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from local.demo import archive_copy, build, packages, partition_replicate, upload_validate
from local.demo.external_services import ExternalServices, external_services
from local.demo.keep import keep_up
from local.demo.parts import Part, parts_of
from local.demo.recording import Recording
from local.demo.result import Result
from local.demo.screen import Screen
from local.deployment import Deployment
from local.embedded_aws import EmbeddedAws
from local.stack import Stack, deploying
from local.terraform import DeploymentError
from scripts.errors import ScriptError

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
    except (DeploymentError, ScriptError) as error:
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
    parts = parts_of(ROOT)
    with ExitStack() as up:
        services = up.enter_context(external_services())
        stack, deployment = up.enter_context(_deploying(services, parts.values(), screen, folder))
        runs: dict[str, Callable[[], Result]] = {
            "archive_copy": lambda: archive_copy.run(stack, screen),
            "partition_replicate": lambda: partition_replicate.run(stack, screen),
            "upload_validate": lambda: upload_validate.run(stack, services, screen),
            **{task: partial(part.run, stack, screen) for task, part in parts.items()},
        }
        results = []
        for task, run in runs.items():
            # Terraform continues meanwhile.
            with screen.waiting(f"{task} is up"):
                deployment.wait_for(task)
            results.append(run())
        with screen.waiting("everything is up"):
            deployment.wait()
        _summarise(results, screen, file=folder / "summary.json", seconds=time.monotonic() - started)
        if os.environ.get("KEEP", "") not in ("", "0"):
            keep_up(stack, services, screen)
    return 0 if all(result.passed for result in results) else 1


def _deploying(
    services: ExternalServices, parts: Collection[Part], screen: Screen, folder: Path
) -> AbstractContextManager[tuple[Stack, Deployment]]:
    variables = {
        **archive_copy.VARIABLES,
        **partition_replicate.VARIABLES,
        **upload_validate.variables(services),
    }
    for part in parts:
        variables.update(part.VARIABLES)

    def prepare(aws: EmbeddedAws) -> dict[str, Any]:
        for part in parts:
            part.prepare(aws)
        return {**packages.prepare(aws, ROOT / "dist"), **partition_replicate.prepare(aws)}

    return deploying(variables, folder=folder / "terraform", on_progress=screen.progress, prepare=prepare)


def _summarise(results: Sequence[Result], screen: Screen, *, file: Path, seconds: float) -> None:
    summary: dict[str, float] = {name: value for result in results for name, value in result.summary.items()}
    summary["seconds"] = round(seconds, 1)
    file.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    for result in results:
        screen.verdict(result.sentence, passed=result.passed)
    screen.say(f"{seconds:.0f} s in all")


if __name__ == "__main__":
    sys.exit(main())
