import subprocess
import sys
from xml.etree import ElementTree

from tests.scripts.conftest import ROOT, write


def report_of(tmp_path, *modules):
    output = tmp_path / "pylint.json"
    subprocess.run(
        [sys.executable, "-m", "pylint", f"--output-format=json2:{output}", *modules],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    report = tmp_path / "pylint.xml"
    subprocess.run([sys.executable, "-m", "scripts.pylint_junit", report, output, output], cwd=ROOT, check=True)
    return ElementTree.parse(report).getroot()


def test_report_of_a_clean_run_is_one_passed_case(tmp_path):
    write(tmp_path / "clean.py", '"""Clean."""\n')
    suite = report_of(tmp_path, "clean.py")
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
    assert [case.get("name") for case in suite] == ["all other files"]
    assert suite.find("testcase/failure") is None


def test_report_of_a_run_with_messages_is_a_failed_case_for_each_file(tmp_path):
    write(tmp_path / "clean.py", '"""Clean."""\n')
    write(tmp_path / "odd.py", "import os\n\nx = 1 < 2 & True\n")
    suite = report_of(tmp_path, "clean.py", "odd.py")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failed = suite.find("testcase[failure]")
    assert failed.get("name") == "odd.py"
    assert "1:0: W0611 (unused-import) Unused import os" in failed.find("failure").text
    assert "missing-module-docstring" in failed.find("failure").text
