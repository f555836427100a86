"""The look-up `aws.ssm`, through the framework's variables and tasks."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentaskpy.exceptions import LookupPluginError

from tasks.otf_addons.ssm_lookup import as_json, client_of, run
from tests.otf_addons.definitions import invoke
from tests.otf_addons.functions import Function, function_of

NAME = "/team/parameter"
LOOKUP = "{{ lookup('aws.ssm', name='/team/parameter') }}"

VALUES = {
    "plain": "file.flg",
    "quotes": """say "hi" 'there'""",
    "newlines": "-----BEGIN KEY-----\nabc\r\n\tdef\n-----END KEY-----\n",
    "unicode": "zażółć 日本語 🪣 \u2028",
    "backslashes": r"C:\new\table \"quoted\" \u00e9 \\",
    "templates": "{{ lookup('file') }} {% if %} {# no comment #} }}",
    "json": '{"a": ["b", 1]}',
    "control": "\x01\x1f\x7f",
}


LOOKUPS = {name: f"{{{{ lookup('aws.ssm', name='/team/{name}') }}}}" for name in VALUES}


@pytest.fixture(name="ssm")
def parameter_store(aws):
    client_of.cache_clear()
    yield aws.client("ssm")
    client_of.cache_clear()


def put(ssm, value, kind="SecureString", name=NAME):
    ssm.put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)


def arrived(aws, framework, payload, variables):
    """Return the payload that the function gets, and the output."""
    aws.lambda_invoker = Function()
    ran = framework.run(invoke(function_of(aws), payload=payload), variables=variables)
    assert ran.ok, ran.said
    ((_, _, given_payload),) = aws.lambda_invoker.calls
    return json.loads(given_payload), ran.said


@pytest.mark.parametrize("lazy", ["0", "1"], ids=["all variables", "variables when they are needed"])
def test_values_arrive_unchanged(framework, aws, ssm, lazy):
    framework.monkeypatch.setenv("OTF_LAZY_LOAD_VARIABLES", lazy)
    for number, (name, value) in enumerate(VALUES.items()):
        put(ssm, value, ("String", "SecureString")[number % 2], f"/team/{name}")
    payload = {
        "from variables": {name: f"{{{{ {name} }}}}" for name in VALUES},
        "in the task": LOOKUPS,
    }

    given_payload, said = arrived(aws, framework, payload, LOOKUPS)

    assert given_payload == {"from variables": VALUES, "in the task": VALUES}
    assert not any(shown(value) in said for name, value in VALUES.items() if name != "plain")


def shown(value):
    return value.splitlines()[0][:12]


def test_values_arrive_unchanged_if_the_task_itself_looks_them_up(framework, aws, ssm):
    for name, value in VALUES.items():
        put(ssm, value, name=f"/team/{name}")

    assert arrived(aws, framework, LOOKUPS, {"OTHER": "variable"})[0] == VALUES


def test_value_arrives_unchanged_through_another_variable(framework, aws, ssm):
    put(ssm, VALUES["quotes"], name="/team/quotes")
    variables = {"FIRST": LOOKUPS["quotes"], "SECOND": "<{{ FIRST }}>"}

    assert arrived(aws, framework, {"value": "{{ SECOND }}"}, variables)[0] == {"value": f"<{VALUES['quotes']}>"}


def test_look_up_alone_gives_text_that_json_reads(ssm):
    put(ssm, VALUES["newlines"])

    assert json.loads(f'"{run(name=NAME)}"') == VALUES["newlines"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_text_is_json_and_no_template(text):
    once = as_json(text)
    assert json.loads(f'"{once}"') == text
    assert json.loads(f'"{json.loads(chr(34) + as_json(once) + chr(34))}"') == text
    assert "{" not in once and "{" not in as_json(once)


def test_look_up_without_a_name_is_an_error():
    with pytest.raises(LookupPluginError, match="Missing kwarg: 'name'"):
        run()


@pytest.mark.usefixtures("ssm")
def test_failed_look_up_says_so_in_place_of_the_value(framework, aws):
    payload, said = arrived(aws, framework, {"value": "{{ KEY }}"}, {"KEY": LOOKUP})

    assert payload == {"value": "LOOKUP_FAILED"}
    assert NAME in said and "ParameterNotFound" in said


@pytest.mark.usefixtures("ssm")
def test_failed_look_up_is_an_error_if_the_environment_says_so(monkeypatch):
    monkeypatch.setenv("OTF_AWS_SECRETS_LOOKUP_FAILED_IS_ERROR", "1")

    with pytest.raises(LookupPluginError, match="/team/parameter cannot be read: .*ParameterNotFound"):
        run(name=NAME)


@pytest.mark.usefixtures("ssm")
def test_look_up_that_gets_no_answer_has_failed(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert run(name=NAME) == "LOOKUP_FAILED"


def test_variables_name_the_credentials_of_the_look_up(framework, aws, ssm):
    aws.client("ssm", region_name="eu-central-1").put_parameter(Name=NAME, Value="frankfurt", Type="String")
    put(ssm, "ireland")
    variables = {
        "AWS_ACCESS_KEY_ID": aws.admin_credentials["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": aws.admin_credentials["aws_secret_access_key"],
        "AWS_REGION": "eu-central-1",
        "KEY": LOOKUP,
    }

    assert arrived(aws, framework, {"value": "{{ KEY }}"}, variables)[0] == {"value": "frankfurt"}


def test_value_is_not_logged_in_any_detail(framework, aws, ssm):
    put(ssm, "a very secret value")

    ran = framework.run(invoke(function_of(aws)), variables={"UNUSED": LOOKUP}, verbosity=2)

    assert "otf_addons.lambda_handler" in ran.said
    assert "a very secret value" not in ran.said
