"""Canaries: values in place of secrets, and the search for them in all output."""

import base64
import json
import re
import string
from urllib.parse import quote, quote_plus, unquote_plus

from tests.secrets.cases import cases

# No other text contains it, so the search finds parts of a canary too.
CORE = "Cnry"
PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "


def canary(name):
    """Return a value that looks like a key, of letters and digits: only base64 changes these."""
    return f"{CORE}7{re.sub(r'[^a-z0-9]', '', name.lower())}7x9Kq"


def any_key(random, name):
    """Return a random key around the canary of that name: printable ASCII, which a header may contain."""
    around = ["".join(random.choices(PRINTABLE, k=random.randrange(30))) for _ in range(2)]
    return canary(name).join(around).strip() or canary(name)


def spoilt(name):
    """Return invalid values of a secret, by their fault; each contains the canary of that name."""
    core = canary(name)
    return {
        "a line break": f"{core}\nX-More: {core}",
        "a line break in front": f"\n {core}\r\n{core}",
        "indented JSON": json.dumps({"key": core, "accesskey": core, "secretaccesskey": [core]}, indent=2),
        "a list": json.dumps([core]),
        "torn JSON": json.dumps({"accesskey": core, "secretaccesskey": core})[:-3],
        "NUL": f"{core}\0",
        "not ASCII": f"{core}é\u2028",
        "an address": f"https://{core}:{core}@elsewhere.example:port/{core}?{core}#{core}",
        "long": core * 1000,
    }


SPOILT = cases(
    {how: how for how in spoilt("")}, quick=["a line break", "indented JSON", "torn JSON", "not ASCII", "an address"]
)


def forms_of(secret):
    """Return the texts that show a secret in another text, in any encoding."""
    raw = secret.encode("utf-8", "surrogateescape")
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], raw.hex()}
    forms |= {repr(secret)[1:-1], json.dumps(json.dumps(secret)[1:-1])[1:-1]}
    for lead in range(3):
        # The number of bytes before the secret decides which of three texts it is. The first and the last character
        # may contain bits of the neighbours.
        encoded = base64.b64encode(bytes(lead) + raw).decode()
        inner = encoded[(0, 2, 3)[lead] : (len(raw) + lead) * 8 // 6]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {form for form in forms if form}


def found(secrets, texts):
    """Return the places of secrets, never the text around one.

    Args:
        secrets: name -> value.
        texts: pairs of a place and a text or bytes.
    """
    forms = {form: name for name, secret in secrets.items() for form in forms_of(secret)}
    pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))
    places = []
    for place, text in texts:
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        # Unquoted too, in case only some characters are quoted.
        hits = [*pattern.finditer(text), *pattern.finditer(unquote_plus(text))]
        places.extend(f"{place} holds {forms[hit.group()]}" for hit in hits)
    return sorted(set(places))
