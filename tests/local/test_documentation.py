from tests.local.documentation import CANNOT_RUN, DOCUMENTS
from tests.support.snippets import shell_snippets


def test_every_snippet_that_cannot_run_is_in_the_documentation():
    begun = {text.splitlines()[0] for document in DOCUMENTS for text in shell_snippets(document)}
    assert CANNOT_RUN.keys() <= begun


def test_commands_are_found_among_other_blocks(tmp_path):
    document = tmp_path / "document.md"
    document.write_text(
        "Say:\n\n    a_variable = 1\n\n```hcl\nanother = 2\n```\n\n    first\n\n    still the first\n\n"
        "```sh\nsecond --option\n    indented\n```\n\n```\nthird\n```\n",
        encoding="utf-8",
    )
    assert shell_snippets(document) == ["first\n\nstill the first\n", "second --option\n    indented\n", "third\n"]
