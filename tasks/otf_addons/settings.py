"""The settings that the add-on reads from its environment. AWS's libraries read further variables by themselves."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tasks.utils.settings import Environment


@dataclass(frozen=True)
class Settings:
    """The settings of the environment.

    Attributes:
        region: the region if the definition names none; AWS's libraries look at `AWS_DEFAULT_REGION` and profiles next.
        role_arn: the role to assume if the definition names none.
        role_external_id: its external id.
        failed_lookup_is_error: a look-up that fails ends the run, instead of returning a text that says so.
        variables_are_read_once: the framework puts a variable's look-up straight into the task.
    """

    region: str | None = None
    role_arn: str | None = None
    role_external_id: str | None = None
    failed_lookup_is_error: bool = False
    variables_are_read_once: bool = False

    @classmethod
    def read(cls, values: Mapping[str, str] | None = None) -> Self:
        """Return the settings of an environment, by default that of this process."""
        environment = Environment(os.environ if values is None else values)
        # With a token file, the role is that of the machine's own credentials, which botocore has assumed already.
        has_token_file = environment.text("AWS_WEB_IDENTITY_TOKEN_FILE", default=None)
        role_arn = environment.text("AWS_ROLE_ARN", default=None)
        return cls(
            region=environment.text("AWS_REGION", default=None),
            role_arn=None if has_token_file else role_arn,
            role_external_id=environment.text("AWS_ASSUME_ROLE_EXTERNAL_ID", default=None),
            failed_lookup_is_error=environment.text("OTF_AWS_SECRETS_LOOKUP_FAILED_IS_ERROR", default="0") == "1",
            variables_are_read_once=environment.text("OTF_LAZY_LOAD_VARIABLES", default="0") == "1",
        )
