"""`python -m bench.rclone_service RCLONE WHAT FLAG...`: lets rclone, as a service, mirror a key or a folder, and ends.

The service mirrors a small object first, so that it is connected. Prints, as JSON in the last line, the seconds that
the work took from there.
"""

import json
import re
import subprocess
import sys
import time
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from bench.names import DESTINATION, SOURCE, WARM_UP

ANNOUNCEMENT = re.compile(r"Serving remote control on (http://\S+/)")

# Longer than anything here takes.
PATIENCE_SECONDS = 600


def main() -> None:
    """Do what the arguments say."""
    program, what, *flags = sys.argv[1:]
    service = [program, "rcd", "--rc-no-auth", "--rc-addr=127.0.0.1:0", *flags]
    with subprocess.Popen(service, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = _announced(process.stderr)
            # Nobody reads on, and it would wait when the pipe is full.
            Thread(target=process.stderr.read, daemon=True).start()
            _mirror(url, WARM_UP)
            started = time.perf_counter()
            _mirror(url, what)
            seconds = time.perf_counter() - started
        finally:
            process.terminate()
    print(json.dumps({"seconds": seconds}))


def _announced(log) -> str:
    said = []
    for line in log:
        said.append(line)
        if found := ANNOUNCEMENT.search(line):
            return found[1]
    raise SystemExit(f"rclone did not start:\n{''.join(said)}")


def _mirror(url: str, what: str) -> None:
    source, destination = f"{SOURCE}:{SOURCE}/", f"{DESTINATION}:{DESTINATION}/"
    if what.endswith("/"):
        _call(url + "sync/copy", srcFs=source + what, dstFs=destination + what)
    else:
        _call(url + "operations/copyfile", srcFs=source, srcRemote=what, dstFs=destination, dstRemote=what)


def _call(url: str, **arguments: str) -> None:
    request = Request(url, json.dumps(arguments).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            answer.read()
    except HTTPError as error:
        raise SystemExit(f"rclone failed: {error.read().decode()}") from error


if __name__ == "__main__":
    main()
