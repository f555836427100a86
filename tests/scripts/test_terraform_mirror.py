import os
import subprocess
import sys

import pytest

from scripts.errors import ScriptError
from scripts.terraform_mirror import plugin_dir
from tests.scripts.conftest import ROOT

AWS_PROVIDER = "registry.terraform.io/hashicorp/aws"
# In the order of the search.
SEARCHED = [
    "home/.terraform.d/plugins",
    "data/terraform/plugins",
    "usr/local/share/terraform/plugins",
    "usr/share/terraform/plugins",
    "opt/a-mirror",
    "opt/b-mirror",
]


def add_mirror(root, folder, provider=AWS_PROVIDER):
    (root / folder / provider).mkdir(parents=True)
    return root / folder


def found(root, **environ):
    environ = {"XDG_DATA_HOME": str(root / "data"), **environ}
    return plugin_dir(environ, home=root / "home", root=root)


@pytest.mark.parametrize("folder", SEARCHED)
def test_mirror_in_any_of_the_places_is_found(tmp_path, folder):
    assert found(tmp_path) is None
    assert found(tmp_path / "other") is None
    mirror = add_mirror(tmp_path, folder)
    assert found(tmp_path) == mirror


@pytest.mark.parametrize("position", range(len(SEARCHED)))
def test_mirror_found_first_wins(tmp_path, position):
    mirrors = [add_mirror(tmp_path, folder) for folder in SEARCHED[position:]]
    assert found(tmp_path) == mirrors[0]


def test_mirror_in_the_environment_takes_precedence(tmp_path):
    add_mirror(tmp_path, SEARCHED[0])
    named = add_mirror(tmp_path, "named")
    assert found(tmp_path, TF_PLUGIN_DIR=str(named)) == named


def test_folder_in_the_environment_that_is_not_a_mirror_is_refused(tmp_path):
    add_mirror(tmp_path, SEARCHED[0])
    with pytest.raises(ScriptError, match=f"TF_PLUGIN_DIR={tmp_path} holds no {AWS_PROVIDER}"):
        found(tmp_path, TF_PLUGIN_DIR=str(tmp_path))


def test_mirror_of_only_other_providers_is_skipped(tmp_path):
    add_mirror(tmp_path, "opt/a-mirror", "registry.terraform.io/hashicorp/random")
    mirror = add_mirror(tmp_path, "opt/b-mirror")
    assert found(tmp_path) == mirror


def test_mirror_deeper_in_opt_is_not_found(tmp_path):
    add_mirror(tmp_path, "opt/vendor/a-mirror")
    assert found(tmp_path) is None


def test_mirror_is_found_in_the_default_data_home(tmp_path):
    mirror = add_mirror(tmp_path, "home/.local/share/terraform/plugins")
    assert found(tmp_path, XDG_DATA_HOME="") == mirror


def test_command_prints_the_flag_for_terraform_init(tmp_path):
    mirror = add_mirror(tmp_path, "named")
    finished = subprocess.run(
        [sys.executable, "-m", "scripts.terraform_mirror"],
        cwd=ROOT,
        env={**os.environ, "TF_PLUGIN_DIR": str(mirror)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout == f"-plugin-dir={mirror}\n"
