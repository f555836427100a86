"""A task's settings read exactly the names that its Terraform sets."""

import importlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import hcl2
import pytest

from tasks.utils.errors import SettingsError
from tests.support.task_pieces import lambda_tasks

ROOT = Path(__file__).parent.parent
# tests/test_tasks.py names a task that lacks one of these.
PARTS = ("tasks/{}/handler.py", "tasks/{}/settings.py", "terraform/{}.tf")
TASKS = [task for task in lambda_tasks(ROOT) if all((ROOT / part.format(task)).exists() for part in PARTS)]


class Recorder(Mapping):
    """An empty environment that records the requested names."""

    def __init__(self):
        self.asked = []

    def __getitem__(self, name):
        raise KeyError(name)

    def get(self, key, default=None):
        self.asked.append(key)
        return default

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0


def names_read_by(settings_module):
    """Return the names that the settings request, without the upper-case spelling of a lower-case name."""
    recorder = Recorder()
    # A task without required settings accepts an empty environment.
    with suppress(SettingsError):
        settings_module.Settings.read(recorder)
    second = {name.upper() for name in recorder.asked if name != name.upper()}
    return set(recorder.asked) - second


def names_set_in(hcl):
    """Return the keys of every module's `environment` in a Terraform file."""
    parsed = hcl2.loads(hcl)
    environments = [
        module["environment"]
        for modules in parsed.get("module", [])
        for module in modules.values()
        if "environment" in module
    ]
    assert environments, "no module of this file sets an environment"
    return {name.strip('"') for environment in environments for name in environment if not name.startswith("__")}


def terraform_of(task):
    return (ROOT / "terraform" / f"{task}.tf").read_text(encoding="utf-8")


def differences(task, read, set_):
    """Return one sentence for each name that only one side has."""
    settings, terraform = f"tasks/{task}/settings.py", f"terraform/{task}.tf"
    unset = [f"{settings} reads {name}, and no `environment` in {terraform} sets it" for name in sorted(read - set_)]
    unread = [f"{terraform} sets {name}, and {settings} does not read it" for name in sorted(set_ - read)]
    return unset + unread


@pytest.mark.parametrize("task", TASKS)
def test_settings_and_terraform_have_the_same_names(task):
    settings_module = importlib.import_module(f"tasks.{task}.settings")
    if sentences := differences(task, names_read_by(settings_module), names_set_in(terraform_of(task))):
        pytest.fail("\n".join(sentences), pytrace=False)


def test_there_is_a_task_to_compare():
    assert "archive_copy" in TASKS


def test_name_that_terraform_loses_or_gains_is_noticed():
    hcl = terraform_of("archive_copy")
    names = names_set_in(hcl)
    lost = hcl.replace("    LOGGING_LEVEL ", "    # LOGGING_LEVEL ")
    gained = hcl.replace("  environment = {", '  environment = {\n    NEW_NAME = "x"')
    assert names_set_in(lost) == names - {"LOGGING_LEVEL"}
    assert names_set_in(gained) == names | {"NEW_NAME"}


def settings_that_read(*names, required):
    def read(values):
        for name in names:
            values.get(name, "")
        if required:
            raise SettingsError("bucket_map is not set")

    return SimpleNamespace(Settings=SimpleNamespace(read=read))


@pytest.mark.parametrize("required", [True, False])
def test_settings_may_have_required_ones_and_may_have_none(required):
    module = settings_that_read("bucket_map", "BUCKET_MAP", "NEW_NAME", required=required)
    assert names_read_by(module) == {"bucket_map", "NEW_NAME"}


def test_name_that_only_one_side_has_is_named_in_a_sentence():
    assert differences("a_task", {"READ", "BOTH"}, {"SET", "BOTH"}) == [
        "tasks/a_task/settings.py reads READ, and no `environment` in terraform/a_task.tf sets it",
        "terraform/a_task.tf sets SET, and tasks/a_task/settings.py does not read it",
    ]
