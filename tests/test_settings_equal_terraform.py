"""A task's settings read exactly the names that its Terraform sets."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import hcl2
import pytest

ROOT = Path(__file__).parent.parent
TASKS = sorted(path.parent.name for path in ROOT.glob("tasks/*/settings.py") if path.with_name("handler.py").exists())


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
    with pytest.raises(Exception, match="is not set"):
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


@pytest.mark.parametrize("task", TASKS)
def test_settings_and_terraform_have_the_same_names(task):
    settings_module = importlib.import_module(f"tasks.{task}.settings")
    assert names_read_by(settings_module) == names_set_in(terraform_of(task))


def test_there_is_a_task_to_compare():
    assert "archive_copy" in TASKS


def test_name_that_terraform_loses_or_gains_is_noticed():
    hcl = terraform_of("archive_copy")
    names = names_set_in(hcl)
    lost = hcl.replace("    LOGGING_LEVEL ", "    # LOGGING_LEVEL ")
    gained = hcl.replace("  environment = {", '  environment = {\n    NEW_NAME = "x"')
    assert names_set_in(lost) == names - {"LOGGING_LEVEL"}
    assert names_set_in(gained) == names | {"NEW_NAME"}


def test_name_that_the_settings_lose_or_gain_is_noticed():
    def read(values):
        for name in ("bucket_map", "BUCKET_MAP", "NEW_NAME"):
            values.get(name, "")
        raise ValueError("bucket_map is not set")

    module = SimpleNamespace(Settings=SimpleNamespace(read=read))
    assert names_read_by(module) == {"bucket_map", "NEW_NAME"}
