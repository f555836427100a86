import re

import pytest

from tests.local import test_builds
from tests.local.documentation import BRIGADE, CANNOT_RUN, DOCUMENTS, snippets_to_run
from tests.support.project_texts import ROOT, texts
from tests.support.snippets import blocks, shell_snippets

# A line of a block that needs a deployment.
COMMAND = re.compile(r"^ *(?:\$ )?(?:aws|terraform|brigade) ", re.MULTILINE)
# Pages whose commands test_builds.py and test_capacity_page.py run.
RUN_ELSEWHERE = {test_builds.DOCUMENT, "docs/capacity.md"}

every_document = pytest.mark.parametrize("document", DOCUMENTS)


def test_every_snippet_that_cannot_run_is_in_the_documentation():
    begun = {text.splitlines()[0] for document in (*DOCUMENTS, BRIGADE) for text in shell_snippets(document)}
    assert CANNOT_RUN.keys() <= begun


def test_commands_for_a_deployment_are_only_on_pages_whose_commands_a_test_runs():
    pages = {path.relative_to(ROOT).as_posix() for path in texts(".md")}
    with_commands = {page for page in pages if any(COMMAND.search(text) for _, text in blocks(page))}
    assert with_commands == {*DOCUMENTS, BRIGADE, *RUN_ELSEWHERE}


@every_document
def test_block_with_a_command_is_run_or_named_with_the_reason(document):
    taken = {*snippets_to_run(document, {})} | {
        text for text in shell_snippets(document) if text.splitlines()[0] in CANNOT_RUN
    }
    assert [text for _, text in blocks(document) if COMMAND.search(text) and text not in taken] == []


@every_document
def test_variable_of_a_snippet_is_set_on_the_page_before(document):
    known = set()
    for text in shell_snippets(document):
        known |= set(re.findall(r"(?:^|\s)([A-Za-z_]\w*)=", text))
        assert set(re.findall(r"\$\{?([A-Za-z_]\w*)", text)) <= known, text


@every_document
def test_function_of_a_snippet_is_defined_on_the_page_before(document):
    known = set()
    for text in shell_snippets(document):
        known |= set(re.findall(r"^(\w+)\(\) \{", text, re.MULTILINE))
        assert set(re.findall(r"\$\((output|arn) ", text)) <= known, text


@every_document
def test_output_that_a_snippet_reads_exists_in_terraform(document):
    outputs = (ROOT / "terraform" / "outputs.tf").read_text(encoding="utf-8")
    attributes = {
        (task, name)
        for task, body in re.findall(r'^output "(\w+)" \{(.*?)^\}', outputs, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^ +(\w+) += ", body, re.MULTILINE)
    }
    read = [found for text in shell_snippets(document) for found in re.findall(r"\$\(output (\w+) (\w+)\)", text)]
    assert read and set(read) <= attributes


def test_commands_are_found_among_other_blocks(tmp_path):
    document = tmp_path / "document.md"
    document.write_text(
        "Say:\n\n    a_variable = 1\n\n```hcl\nanother = 2\n```\n\n    first\n\n    still the first\n\n"
        "```sh\nsecond --option\n    indented\n```\n\n```\nthird\n```\n",
        encoding="utf-8",
    )
    assert shell_snippets(document) == ["first\n\nstill the first\n", "second --option\n    indented\n", "third\n"]
