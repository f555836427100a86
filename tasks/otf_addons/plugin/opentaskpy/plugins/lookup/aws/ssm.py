"""The look-up `aws.ssm`."""

from tasks.otf_addons.ssm_lookup import run

__all__ = ["run"]
