import json
from base64 import b64encode
from urllib.parse import quote, quote_plus

import pytest

from tests.secrets.search import canary, found, spoilt

SECRET = f'{canary("key")} "+/=%&<é'


@pytest.mark.parametrize(
    "write",
    [
        str,
        str.encode,
        repr,
        json.dumps,
        quote,
        quote_plus,
        lambda text: quote(quote(text)),
        lambda text: json.dumps(json.dumps(text)),
        lambda text: text.encode().hex(),
        *(lambda text, lead=lead: b64encode(b"x" * lead + text.encode() + b"yz") for lead in range(3)),
    ],
)
def test_secret_is_found_however_it_is_written(write):
    text = b"before " + as_bytes(write(SECRET)) + b" after"
    assert found({"key": SECRET}, [("a place", text)]) == ["a place holds key"]
    assert found({"key": SECRET}, [("a place", write("another text"))]) == []


def as_bytes(text):
    return text.encode() if isinstance(text, str) else text


def test_each_spoilt_secret_holds_its_canary():
    assert all(canary("a key") in text for text in spoilt("a key").values())
