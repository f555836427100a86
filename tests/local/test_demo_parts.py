from local.demo import lines
from local.demo.parts import parts_of


def add_task(root, name):
    for path in (f"tasks/{name}/handler.py", f"tasks/{name}/requirements.txt", f"local/demo/{name}.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_part_of_a_new_task_is_found_by_its_name_and_those_of_the_demo_are_not_repeated(tmp_path):
    for name in ("archive_copy", "lines", "partition_replicate", "upload_validate"):
        add_task(tmp_path, name)
    assert parts_of(tmp_path) == {"lines": lines}


def test_task_without_a_part_is_left_out(tmp_path):
    add_task(tmp_path, "object_count")
    (tmp_path / "local" / "demo" / "object_count.py").unlink()
    assert parts_of(tmp_path) == {}
