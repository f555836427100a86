import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from tasks.utils.secret_values import LONGEST_KEY, Secrets, fault_of_characters, fault_of_key

SECRET = 'aB3/+"\\<&~ =zZ9'
FORMS = {
    "as it is": SECRET,
    "quoted": quote(SECRET),
    "quoted with its slash": quote(SECRET, safe=""),
    "in a form": quote_plus(SECRET),
    "in JSON": json.dumps(SECRET)[1:-1],
    "in PHP's JSON": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "in HTML": html.escape(SECRET),
    "in base64": base64.b64encode(SECRET.encode()).decode().rstrip("="),
    "in base64 of an address": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_secret_is_replaced_in_each_form(form):
    secrets = Secrets()
    secrets.add(SECRET)
    said = secrets.hide(f"<{form}>{form}")
    assert form not in said and said.count("(secret)") == 2
    assert secrets.hide("nothing of it") == "nothing of it"


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "Token "])
def test_secret_in_the_middle_of_a_base64_text_is_replaced(before):
    secrets = Secrets()
    secrets.add("github-token-0123456789")
    text = base64.b64encode(f"{before}github-token-0123456789!".encode()).decode()
    left = secrets.hide(text).replace("(secret)", "")
    # Only the characters that the secret shares with its neighbours may be left.
    assert "(secret)" in secrets.hide(text) and len(left) <= len(before) * 4 // 3 + 8


def test_longer_secret_is_replaced_before_its_part():
    secrets = Secrets()
    secrets.add("abcdefgh", "", None)
    secrets.add("abcdefgh-ijkl")
    assert secrets.hide("abcdefgh-ijkl abcdefgh") == "(secret) (secret)"


@pytest.mark.parametrize(
    "said",
    [
        "/services/T00/B00/XXXXXXXXXXXX",
        "/services/T00/B00/XXXXXXXXXXXX?token=0123456789",
        "XXXXXXXXXXXX",
        "0123456789",
        "token=0123456789",
    ],
)
def test_parts_of_an_address_behind_its_host_are_replaced(said):
    secrets = Secrets()
    secrets.add_address("https://hooks.example.org/services/T00/B00/XXXXXXXXXXXX?token=0123456789")
    assert not any(part in secrets.hide(f"no {said}!") for part in ("XXXXXXXXXXXX", "0123456789"))
    assert secrets.hide("https://hooks.example.org hook") == "https://hooks.example.org hook"


def test_secrets_are_not_shown():
    secrets = Secrets()
    secrets.add(SECRET)
    assert SECRET not in repr(secrets)


@pytest.mark.parametrize(
    "key, said",
    [
        ("", "is empty"),
        ("a\nb", "printable ASCII"),
        ("a\0", "printable ASCII"),
        ("a\x7f", "printable ASCII"),
        ("é", "printable ASCII"),
        ("\u2028", "printable ASCII"),
        ("x" * (LONGEST_KEY + 1), "longer than 8,000 characters"),
        ('{"token": "x"}', "#field"),
        ('{\n  "token": "x"\n}', "#field"),
        (7, "is no text"),
        (None, "is no text"),
        ({"a": "b"}, "is no text"),
    ],
)
def test_value_that_cannot_be_a_key_has_its_fault(key, said):
    assert said in fault_of_key(key)


@pytest.mark.parametrize("key", ["ghp_0123", "a b", "!~", "x" * LONGEST_KEY, "a{b}"])
def test_value_that_can_be_a_key_has_no_fault(key):
    assert (fault_of_key(key), fault_of_characters(key)) == ("", "")
