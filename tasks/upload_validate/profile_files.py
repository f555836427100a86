"""The profile of a deployment, from its files: in the zip, or where a Table Schema is concerned also in S3."""

import json
import re
from pathlib import Path

from tasks.upload_validate.profile import read_profile
from tasks.utils.errors import SettingsError
from tasks.utils.s3_object import S3Object

PROFILES = Path(__file__).parent / "profiles"
_S3_ADDRESS = re.compile(r"s3://([^/]+)/(.+)")
# A schema is written by hand; what is larger is something else.
SCHEMA_LIMIT = 1 << 20


def load_profile(name, table_schema, read_object):
    """Returns the `Profile` of a name.

    Args:
        name: of a file in `profiles/`, without `.json`.
        table_schema: where the Table Schema is: a file in `profiles/`, an address `s3://bucket/key`, or "".
        read_object: takes an `S3Object` and returns its bytes.

    Raises:
        SettingsError: there is no such file, or it is wrong; the text names every field that is.
    """
    document = _document("PROFILE", _file(f"{name}.json", "PROFILE"))
    schema = None
    if isinstance(document, dict) and document.get("needs_schema") is True:
        if not table_schema:
            raise SettingsError(
                f"TABLE_SCHEMA is not set: the profile {name} needs a file in profiles/ or s3://bucket/key with a "
                "Frictionless Table Schema, Tabular Data Resource or Tabular Data Package"
            )
        schema = _schema(table_schema, read_object)
    return read_profile(document, name=name, schema=schema)


def _schema(where, read_object):
    found = _S3_ADDRESS.fullmatch(where)
    if not found:
        return _document("TABLE_SCHEMA", _file(where, "TABLE_SCHEMA"))
    return _document("TABLE_SCHEMA", read_object(S3Object(found[1], found[2])))


def _file(name, setting):
    there = sorted(path.name for path in PROFILES.glob("*.json"))
    if name not in there:
        # Names are compared and not opened, so that none leads out of the folder.
        raise SettingsError(f"{setting}: there is no {name!r} in profiles/; there are {', '.join(there)}")
    return (PROFILES / name).read_bytes()


def _document(setting, content):
    if len(content) > SCHEMA_LIMIT:
        raise SettingsError(f"{setting}: it has more than {SCHEMA_LIMIT:,} bytes, which no schema needs")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{setting}: it is not JSON: {error}") from error
