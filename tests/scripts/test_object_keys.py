import pytest

from scripts.dist_index import Index, Package
from scripts.errors import ScriptError
from scripts.object_keys import build_key, package_prefix


def package(task, content_hash):
    return Package(task=task, hash=content_hash, zip=f"{task}.zip", sha256="0" * 64, bytes=1)


@pytest.mark.parametrize("prefix", ["", "builds/", "a/b/"])
def test_package_prefix_that_ends_with_a_slash_is_valid(prefix):
    assert package_prefix({"PACKAGE_PREFIX": prefix}) == prefix


def test_package_prefix_that_is_not_set_is_empty():
    assert package_prefix({}) == ""


@pytest.mark.parametrize("prefix", ["/builds/", "builds", "/", "/builds"])
def test_package_prefix_that_breaks_the_rule_is_refused(prefix):
    with pytest.raises(ScriptError, match=f'PACKAGE_PREFIX "{prefix}" must not begin with "/" and must end with "/"'):
        package_prefix({"PACKAGE_PREFIX": prefix})


def test_build_key_of_one_package_is_its_zip():
    assert build_key("builds/", Index((package("greet", "f00d"),))) == "builds/greet/f00d.zip"


def test_build_key_of_several_packages_is_their_manifest():
    index = Index((package("answer", "cafe"), package("greet", "f00d")))
    assert build_key("builds/", index) == f"builds/manifest/{index.hash}.json"


def test_build_hash_of_several_packages_changes_with_each_of_them():
    before = Index((package("answer", "cafe"), package("greet", "f00d")))
    after = Index((package("answer", "cafe"), package("greet", "beef")))
    assert before.hash != after.hash
