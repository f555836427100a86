"""The build service of the embedded AWS: it runs the builds of CodeBuild projects on this machine."""

from local.build_service.service import BuildService

__all__ = ["BuildService"]
