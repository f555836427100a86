"""`python -m bench.rclone_service RCLONE PATH FLAG...`: mirror a key or a folder with rclone as a service.

The service mirrors a small object first, so that it has its connections. Then the clock starts. The last line of the
output is JSON with the seconds of the work.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from bench.names import DESTINATION, SOURCE, WARM_UP

ANNOUNCEMENT = re.compile(r"Serving remote control on (http://\S+/)")

# Longer than any row takes.
TIMEOUT_SECONDS = 600


def main() -> None:
    """Start the service, mirror the path, and print the seconds."""
    program, path, *flags = sys.argv[1:]
    service = [program, "rcd", "--rc-no-auth", "--rc-addr=127.0.0.1:0", *flags]
    with subprocess.Popen(service, stderr=subprocess.PIPE, text=True) as process:
        try:
            log = process.stderr
            assert log
            url = _announced_url(log)
            # Read the rest, because rclone blocks once the pipe is full.
            Thread(target=log.read, daemon=True).start()
            _mirror(url, WARM_UP)
            started = time.perf_counter()
            _mirror(url, path)
            seconds = time.perf_counter() - started
        finally:
            process.terminate()
    print(json.dumps({"seconds": seconds}))


def _announced_url(log: Iterable[str]) -> str:
    lines = []
    for line in log:
        lines.append(line)
        if found := ANNOUNCEMENT.search(line):
            return found[1]
    raise SystemExit(f"rclone did not start:\n{''.join(lines)}")


def _mirror(url: str, path: str) -> None:
    source, destination = f"{SOURCE}:{SOURCE}/", f"{DESTINATION}:{DESTINATION}/"
    if path.endswith("/"):
        _call(url + "sync/copy", srcFs=source + path, dstFs=destination + path)
    else:
        _call(url + "operations/copyfile", srcFs=source, srcRemote=path, dstFs=destination, dstRemote=path)


def _call(url: str, **arguments: str) -> None:
    request = Request(url, json.dumps(arguments).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            answer.read()
    except HTTPError as error:
        raise SystemExit(f"rclone failed: {error.read().decode()}") from error


if __name__ == "__main__":
    main()
