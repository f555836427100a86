"""The metrics of an invocation, as CloudWatch reads them from its log."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tasks.utils import telemetry
from tasks.utils.settings import Environment, TelemetrySettings
from tasks.utils.telemetry import Telemetry

CONTEXT = SimpleNamespace(function_name="one-task", aws_request_id="request")


def lines_of(capsys, counts, *, deployment="one", context=CONTEXT):
    """Return the lines with metrics of an invocation that counts some values."""
    task = Telemetry.set_up("task", TelemetrySettings("INFO", deployment))
    capsys.readouterr()
    with task.invocation(context) as count:
        for metric, value in counts:
            count(metric, value)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def dimensions_of(line):
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return {name: line[name] for name in directive["Dimensions"][0]}


def test_each_metric_has_deployment_service_and_function_as_dimensions_and_no_other_set(capsys):
    (line,) = lines_of(capsys, [("Done", 1)])
    assert len(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]) == 1
    assert dimensions_of(line) == {"deployment": "one", "service": "task", "function_name": "one-task"}


def test_without_a_deployment_and_without_a_context_the_service_is_the_only_dimension(capsys):
    (line,) = lines_of(capsys, [("Done", 1)], deployment="", context=None)
    assert dimensions_of(line) == {"service": "task"}


def test_counts_add_up_and_each_age_is_a_value(capsys):
    (line,) = lines_of(capsys, [("Done", 1), ("EventAge", 3), ("Done", 1), ("EventAge", 900)])
    assert (line["Done"], line["EventAge"]) == ([2.0], [3.0, 900.0])


@pytest.mark.parametrize("ages", [99, 100, 101, 250])
def test_ages_of_more_events_than_a_line_may_hold_are_all_written_with_their_dimensions(capsys, ages):
    lines = lines_of(capsys, [("EventAge", age) for age in range(ages)])
    assert [age for line in lines for age in line.get("EventAge", [])] == list(range(ages))
    assert all(len(line.get("EventAge", [])) <= 100 for line in lines)
    assert all(dimensions_of(line) == dimensions_of(lines[0]) for line in lines)
    assert dimensions_of(lines[0])["deployment"] == "one"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's figure, as in Lambda")
def test_memory_is_that_of_this_process_in_mib(capsys):
    (line,) = lines_of(capsys, [("Done", 1)])
    # A Python process with these imports needs more than 20 MiB; a wrong unit would be off by 1024.
    assert 20 < line["MemoryUsed"][0] < 4096
    before = line["MemoryUsed"][0]
    held = b"x" * ((int(before) + 64) * 1024 * 1024)
    (line,) = lines_of(capsys, [("Done", 1)])
    assert line["MemoryUsed"][0] > len(held) / 1024 / 1024


def test_invocation_that_counts_nothing_writes_no_metric(capsys):
    assert lines_of(capsys, []) == []


def test_deployment_is_read_from_the_environment_and_may_be_missing():
    assert Environment({"DEPLOYMENT": "one"}).telemetry() == TelemetrySettings("INFO", "one")
    assert Environment({}).telemetry() == TelemetrySettings("INFO", "")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's figure, as in Lambda")
def test_memory_of_the_process_that_started_this_one_does_not_count():
    source = (
        "from tasks.utils.settings import TelemetrySettings\n"
        "from tasks.utils.telemetry import Telemetry\n"
        "with Telemetry.set_up('task', TelemetrySettings()).invocation(None) as count: count('Done', 1)"
    )
    held = bytearray(b"x" * 300 * 1024 * 1024)
    output = subprocess.run([sys.executable, "-c", source], capture_output=True, check=True, text=True).stdout
    assert json.loads(output)["MemoryUsed"][0] < len(held) / 1024 / 1024


def test_machine_without_the_kernels_figure_writes_the_other_metrics(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(telemetry, "PROCESS_STATUS", tmp_path / "missing")
    (line,) = lines_of(capsys, [("Done", 1)])
    assert line["Done"] == [1.0] and "MemoryUsed" not in line
