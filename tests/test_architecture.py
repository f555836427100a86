"""The import rules of CONTRIBUTING.md, and I10, checked on the syntax tree of every module."""

import ast
import logging
import statistics
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tasks.otf_addons.task_log import task_logger
from tasks.utils.one_line import escape_message

ROOT = Path(__file__).parent.parent
TASKS = ROOT / "tasks"
MODULES = sorted(TASKS.rglob("*.py"))
PROGRAM = sorted(path for name in ("tasks", "ops", "local", "scripts", "bench") for path in (ROOT / name).rglob("*.py"))
TASK_NAMES = sorted(folder.name for folder in TASKS.iterdir() if folder.is_dir() and folder.name[0] not in "_.")

# Modules that decide and compute, tested without AWS.
PURE = {
    "object_clerk/bodies.py",
    "object_clerk/buffer_pool.py",
    "object_clerk/checksums.py",
    "object_clerk/download_targets.py",
    "object_clerk/errors.py",
    "object_clerk/flow.py",
    "object_clerk/headers.py",
    "object_clerk/pacer.py",
    "object_clerk/parts.py",
    "object_clerk/pinned.py",
    "object_clerk/races.py",
    "object_clerk/sent_parts.py",
    "object_clerk/transfers.py",
    "utils/batch_operations.py",
    "utils/deadline.py",
    "utils/errors.py",
    "utils/key_messages.py",
    "utils/key_state.py",
    "utils/mirror_items.py",
    "utils/mirror_settings.py",
    "utils/one_line.py",
    "utils/events.py",
    "utils/retry.py",
    "utils/secret_values.py",
    "utils/s3_object.py",
    "utils/settings.py",
    "archive_copy/responses.py",
    "archive_copy/bucket_map.py",
    "archive_copy/settings.py",
    "mirror_check/causes.py",
    "mirror_check/comparison.py",
    "mirror_check/findings.py",
    "mirror_check/key_ranges.py",
    "mirror_check/pages.py",
    "mirror_check/repairs.py",
    "mirror_check/runs.py",
    "mirror_check/settings.py",
    "otf_addons/options.py",
    "otf_addons/plan.py",
    "otf_addons/settings.py",
    "partition_replicate/responses.py",
    "partition_replicate/errors.py",
    "partition_replicate/outcome.py",
    "partition_replicate/reconcile/object_snapshot.py",
    "partition_replicate/reconcile/plan.py",
    "partition_replicate/reconcile/plan_current.py",
    "partition_replicate/reconcile/plan_event.py",
    "partition_replicate/reconcile/plan_untracked.py",
    "partition_replicate/reconcile/plan_versions.py",
    "partition_replicate/reconcile/policy.py",
    "partition_replicate/reconcile/single_version.py",
    "partition_replicate/reconcile/snapshot.py",
    "partition_replicate/reconcile/steps.py",
    "partition_replicate/reconcile/survey.py",
    "partition_replicate/settings.py",
    "upload_validate/__main__.py",
    "upload_validate/descriptor.py",
    "upload_validate/encodings.py",
    "upload_validate/effects.py",
    "upload_validate/errors.py",
    "upload_validate/field_types.py",
    "upload_validate/file_check.py",
    "upload_validate/file_sets.py",
    "upload_validate/findings.py",
    "upload_validate/lines.py",
    "upload_validate/page.py",
    "upload_validate/profile.py",
    "upload_validate/profile_reader.py",
    "upload_validate/records.py",
    "upload_validate/schema_check.py",
    "upload_validate/set_check.py",
    "upload_validate/settings.py",
    "upload_validate/table_schema.py",
    "upload_validate/messages.py",
    "upload_validate/verdict.py",
}
# A module of more lines holds more than one noun.
MOST_LINES = 350
CLIENT_MAKERS = {
    "boto3.client",
    "boto3.resource",
    "boto3.session.Session",
    "botocore.session.Session",
    "clients.client",
    "clients.dynamodb",
    "clients.s3",
    "clients.session",
    "connect_to_s3",
    "make_client",
}
# The framework calls the add-on's handlers. Each has credentials of its own, and `connections` makes a client of them.
MAKE_CLIENTS = {"handler.py", "clerk.py", "clients.py", "connections.py"}
MAKE_CLIENTS |= {"lambda_handler.py", "s3_handlers.py", "ssm_lookup.py"}
AWS_LIBRARIES = {"boto3", "botocore", "s3transfer"}
HTTP_LIBRARIES = {"requests", "http", "urllib3"}


def name_of(module):
    return module.relative_to(TASKS).as_posix()


def task_of(module):
    return module.relative_to(TASKS).parts[0]


def tree_of(module):
    return ast.parse(module.read_text(encoding="utf-8"))


def imports_of(module):
    """Yield every dotted name that a module imports, at any place."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(module)} imports relatively: an import path is the same everywhere"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls_of(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


every_module = pytest.mark.parametrize("module", MODULES, ids=name_of)


def test_tasks_and_shared_code_are_found():
    assert {"object_clerk", "utils", "archive_copy", "partition_replicate"} <= set(TASK_NAMES)
    assert {name_of(module) for module in MODULES} >= PURE


# It passes on the names of `object_clerk`, which are loaded on first use:
# `test_import_of_the_package_loads_neither_the_clerk_nor_an_aws_library`.
PASSES_ON = "utils/__init__.py"


@every_module
def test_task_imports_only_itself_and_shared_code(module):
    shared = {"utils": set(), "object_clerk": {"utils"}}.get(task_of(module), {"object_clerk", "utils"})
    ours = {name.split(".")[1] for name in imports_of(module) if name.startswith("tasks.")}
    if name_of(module) == PASSES_ON:
        shared = {"object_clerk"}
    assert ours <= {*shared, task_of(module)}


@every_module
def test_object_clerk_imports_only_pure_modules_of_utils(module):
    if task_of(module) == "object_clerk":
        used = {name.split(".")[2] for name in imports_of(module) if name.startswith("tasks.utils.")}
        assert {f"utils/{name}.py" for name in used} <= PURE


@every_module
def test_tasks_import_nothing_that_is_not_deployed(module):
    roots = {name.split(".")[0] for name in imports_of(module)}
    assert roots.isdisjoint({"tests", "local", "bench", "ops", "scripts", "moto", "pytest"})


@every_module
def test_only_handlers_make_aws_clients_and_none_at_import(module):
    makes = [call for call in calls_of(tree_of(module)) if call in CLIENT_MAKERS]
    if module.name in MAKE_CLIENTS:
        in_functions = [
            call
            for function in ast.walk(tree_of(module))
            if isinstance(function, ast.FunctionDef)
            for call in calls_of(function)
        ]
        assert all(call in in_functions for call in makes)
    else:
        assert makes == []


@every_module
def test_handler_imports_botocore_before_everything_else_of_ours(module):
    # Otherwise a cold start takes longer: docs/performance.md gives the reason.
    clients = "tasks.object_clerk.transport.clients"
    if first := {"handler.py": clients, "clients.py": "botocore.config.Config"}.get(module.name):
        outside = [name for name in imports_of(module) if name.startswith(("tasks.", "botocore."))]
        assert outside[0] == first


@every_module
def test_only_settings_and_handlers_know_the_environment(module):
    reads = {"os.environ", "os.getenv", "os.environb"}
    found = [ast.unparse(node) for node in ast.walk(tree_of(module)) if isinstance(node, ast.Attribute)]
    if module.name == "handler.py":
        # A handler passes the whole environment to its settings, and reads no variable itself.
        assert found.count("os.environ") <= 1 and "os.getenv" not in found
        taken = [ast.unparse(node) for node in ast.walk(tree_of(module)) if isinstance(node, ast.Subscript)]
        assert not any("environ" in text for text in taken)
    elif not module.name.endswith("settings.py"):
        assert reads.isdisjoint(found)
        assert not any(name.startswith("os.environ") or name == "os.getenv" for name in imports_of(module))


@every_module
def test_only_handlers_import_telemetry_which_sets_the_levels_of_a_whole_process(module):
    if module.name != "handler.py":
        assert not any(name.startswith("tasks.utils.telemetry") for name in imports_of(module))
    else:
        assert "tasks.utils.telemetry.Telemetry" in set(imports_of(module))


@every_module
def test_pure_modules_import_no_aws_library(module):
    if name_of(module) in PURE:
        assert AWS_LIBRARIES.isdisjoint(name.split(".")[0] for name in imports_of(module))


@every_module
def test_only_reporters_and_the_transport_of_the_data_plane_speak_http(module):
    if "reporters" not in module.parts and not name_of(module).startswith("object_clerk/transport/"):
        # boto3 raises exceptions of urllib3 when a body breaks.
        spoken = {name for name in imports_of(module) if not name.startswith("urllib3.exceptions")}
        assert HTTP_LIBRARIES.isdisjoint(name.split(".")[0] for name in spoken)


@every_module
def test_only_the_add_on_imports_the_framework_that_is_gpl(module):
    if task_of(module) != "otf_addons":
        assert "opentaskpy" not in {name.split(".")[0] for name in imports_of(module)}


# Each of these loggers escapes quoted text: it writes JSON in ASCII, or messages of one line.
LOGGERS = {"logging.getLogger('bucket_brigade')"}
MAKE_LOGGERS = {"utils/telemetry.py", "otf_addons/task_log.py"}
# These print to a console, or print an exception with all that its text quotes.
RAW_OUTPUT = {"print", "sys.stdout.write", "sys.stderr.write", "os.write", "warnings.warn", "traceback.print_exc"}


@every_module
def test_no_log_call_takes_a_raw_key(module):
    """Every logger escapes its messages, because a raw key could forge log lines."""
    calls = [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call)]
    made = [call for call in calls if ast.unparse(call.func).endswith(("getLogger", "init_logging", "Logger"))]
    if name_of(module) not in MAKE_LOGGERS:
        assert {ast.unparse(call) for call in made} <= LOGGERS
    assert RAW_OUTPUT.isdisjoint(ast.unparse(call.func) for call in calls)
    for call in calls:
        assert "exc_info" not in {keyword.arg for keyword in call.keywords}
        assert not ast.unparse(call.func).lower().endswith(("logger.exception", "logger.print_exc"))
        assert ast.unparse(call.func) not in {f"logging.{level}" for level in ("debug", "info", "warning", "error")}


def test_every_logger_that_is_made_escapes_its_messages(monkeypatch):
    monkeypatch.setenv("OTF_NO_LOG", "1")
    for logger in (logging.getLogger("bucket_brigade"), task_logger("a_module"), task_logger("a_module", "task", "T")):
        assert escape_message in logger.filters


@every_module
def test_code_has_no_arn_or_endpoint_of_one_partition(module):
    nodes = list(ast.walk(tree_of(module)))
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            assert "arn:aws:" not in node.value
            assert ".amazonaws.com" not in node.value


def path_of(module):
    return module.relative_to(ROOT).as_posix()


def test_no_module_is_long():
    every = [*PROGRAM, *(ROOT / "tests").rglob("*.py")]
    assert not {path_of(module) for module in every if len(module.read_text("utf-8").splitlines()) > MOST_LINES}


def lines_of_body(function):
    """The number of lines of a function after its docstring."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_functions_are_small_and_not_tiny():
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [node for module in PROGRAM for node in ast.walk(tree_of(module)) if isinstance(node, kinds)]
    lines = [lines_of_body(function) for function in functions]
    assert 4 <= statistics.median(lines) <= 6
    assert statistics.quantiles(lines, n=10)[-1] <= 16


def modules_imported_by(module, names):
    """The modules among `names` that a module imports, when it is imported or later, but not those for types alone."""
    tree = tree_of(module)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            found = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
            yield from found & names


def test_no_modules_import_each_other():
    dotted = {path_of(module).removesuffix(".py").replace("/", "."): module for module in PROGRAM}
    graph = {name: set(modules_imported_by(module, dotted.keys())) for name, module in dotted.items()}
    assert "tasks.object_clerk.races" in graph["tasks.object_clerk.copies"]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a cycle of imports: {' -> '.join(error.args[1])}")


def test_every_folder_of_tasks_has_its_tests():
    # tests/test_tasks.py checks the other pieces of a Lambda task.
    assert [task for task in TASK_NAMES if not (ROOT / "tests" / task).is_dir()] == []
