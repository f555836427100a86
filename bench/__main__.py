"""`python -m bench [row ...]`: run the rows, by default all, and print one table.

All numbers are written to build/bench/results.json. A row is a module in `bench/rows` with a `ROW`.
"""

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

import bench.rows
from bench.measure import Run, median, run_interleaved
from bench.row import Json, Row

FOLDER = Path("build/bench")


def main(arguments: list[str]) -> int:
    """Run the named rows, print the table and write the results."""
    known = sorted(module.name for module in pkgutil.iter_modules(bench.rows.__path__))
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the project beside its peers.")
    parser.add_argument("row", nargs="*", help=f"one of {', '.join(known)}; by default all")
    parser.add_argument("--runs", type=int, help="number of runs of each contestant, instead of the row's own")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.row if name not in known]
    if unknown:
        parser.error(f"there is no row {unknown[0]}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    results = {name: _run_row(name, options.runs) for name in options.row or known}
    report = {"machine": _machine(), "rows": results}
    (FOLDER / "results.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    Console(width=100).print(_table(results))
    for name, result in results.items():
        for goal in result["goals"]:
            print(f"{'met   ' if goal['met'] else 'MISSED'} {name}: {goal['goal']}")
    print(
        f"Medians. `time` and `memory` are this project's divided by the peer's. All numbers: {FOLDER / 'results.json'}"
    )
    return 0


def _run_row(name: str, runs: int | None) -> Json:
    row: Row = importlib.import_module(f"bench.rows.{name}").ROW
    if runs:
        row = Row(**{**vars(row), "runs": runs})
    print(f"{name}: {row.title}", file=sys.stderr, flush=True)
    load = os.getloadavg()[0]
    with row.contestants(FOLDER) as contestants:
        measured = run_interleaved(row, contestants)
    medians = {name: median(runs) for name, runs in measured.items()}
    ours = next(iter(medians.values()))
    return {
        "title": row.title,
        "load_before": load,
        "medians": {name: vars(run) for name, run in medians.items()},
        "ratios": {name: _ratios(ours, run) for name, run in list(medians.items())[1:]},
        "goals": _goals(row, ours, medians),
        "runs": {name: [vars(run) for run in runs] for name, runs in measured.items()},
    }


def _ratios(ours: Run, theirs: Run) -> Json:
    """Return this project's measures divided by a peer's: below 1 is better than the peer."""
    return {name: round(value / vars(theirs)[name], 4) for name, value in vars(ours).items() if vars(theirs)[name]}


def _goals(row: Row, ours: Run, medians: dict[str, Run]) -> list[Json]:
    """Return each goal, and whether it was met."""
    goals = []
    for (peer, measure), maximum in (row.goals or {}).items():
        met = getattr(ours, measure) <= maximum * getattr(medians[peer], measure)
        goals.append({"goal": f"{measure} <= {maximum:g} x {peer}", "met": met})
    if row.peak_mb:
        goals.append({"goal": f"peak_mb < {row.peak_mb:g}", "met": ours.peak_mb < row.peak_mb})
    return goals


def _table(results: Json) -> Table:
    table = Table(title=f"bench on {_machine()}")
    for heading in ("row", "contestant"):
        table.add_column(heading, no_wrap=True)
    for heading in ("s", "CPU s", "MB", "time", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results.values():
        title = result["title"]
        for name, run in result["medians"].items():
            ratio = result["ratios"].get(name)
            ratios = (f"{ratio['seconds']:.2f}", f"{ratio['peak_mb']:.2f}") if ratio else ("", "")
            measures = (f"{run['seconds']:.2f}", f"{run['cpu_seconds']:.2f}", f"{run['peak_mb']:.0f}")
            table.add_row(title, name, *measures, *ratios)
            title = ""
        table.add_section()
    return table


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
