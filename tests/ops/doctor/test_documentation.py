import re
from pathlib import Path

from ops.doctor.all_checks import CHECKS

PAGE = (Path(__file__).parents[3] / "docs" / "brigade.md").read_text(encoding="utf-8").partition("\n## doctor\n")[2]
SECTION = PAGE.partition("\n## ")[0]


def documented_permissions():
    return set(re.findall(r"[a-z0-9-]+:[A-Z]\w+", SECTION.rpartition("The caller needs")[2]))


def test_page_lists_every_check():
    assert all(f"\n| {check.name} | {check.looks_at} |\n" in SECTION for check in CHECKS)


def test_names_of_checks_are_unique():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
