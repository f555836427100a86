"""CodeBuild: builds that run."""

# pylint: disable=protected-access  # a patch replaces internals of moto

from collections.abc import Callable
from typing import Any

from moto.codebuild.models import CodeBuildBackend
from moto.codebuild.responses import CodeBuildResponse

from local.patches.hooks import HOOKS
from local.patches.patching import patch


@patch(CodeBuildResponse, "start_build")
def run_builds(original: Callable[[Any], Any], response: Any) -> Any:
    """StartBuild runs the buildspec of the project's sources; moto runs nothing.

    AWS CodeBuild API Reference, StartBuild.
    """
    answer = original(response)
    name, backend = response._get_param("projectName"), response.codebuild_backend
    overrides = response._get_param("environmentVariablesOverride") or []
    HOOKS.build_starter(
        backend.codebuild_projects[name].project_metadata,
        backend.build_metadata[name].build_metadata,
        {item["name"]: item["value"] for item in overrides},
    )
    return answer


@patch(CodeBuildBackend, "batch_get_builds")
def report_builds(_original: Any, backend: Any, ids: list[str]) -> list[dict[str, Any]]:
    """BatchGetBuilds returns the state of each build; moto returns a success.

    AWS CodeBuild API Reference, BatchGetBuilds.
    """
    builds = [build for history in backend.build_metadata_history.values() for build in history]
    return [dict(build) for build in builds if build["id"] in ids]
