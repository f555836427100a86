"""What the add-on is told by its environment; what AWS's libraries read there themselves, they read themselves."""

import os
from dataclasses import dataclass

from tasks.utils.settings import Environment


@dataclass(frozen=True)
class Settings:
    """The environment's part.

    Attributes:
        region: where the definition names no region; AWS's libraries look at `AWS_DEFAULT_REGION` and profiles next.
        role_arn: a role to assume where the definition names none.
        role_external_id: its external id.
        failed_lookup_is_error: a look-up that fails ends the run, and does not return a text that says so.
        variables_are_read_once: the framework puts a variable's look-up straight into the task.
    """

    region: str | None = None
    role_arn: str | None = None
    role_external_id: str | None = None
    failed_lookup_is_error: bool = False
    variables_are_read_once: bool = False

    @classmethod
    def read(cls, values=None):
        """Returns the settings of an environment, this process's by default."""
        environment = Environment(os.environ if values is None else values)
        # Beside a token file the role is that of the machine's own credentials, which have been taken on already.
        has_token_file = environment.text("AWS_WEB_IDENTITY_TOKEN_FILE", default=None)
        role_arn = environment.text("AWS_ROLE_ARN", default=None)
        return cls(
            region=environment.text("AWS_REGION", default=None),
            role_arn=None if has_token_file else role_arn,
            role_external_id=environment.text("AWS_ASSUME_ROLE_EXTERNAL_ID", default=None),
            failed_lookup_is_error=environment.text("OTF_AWS_SECRETS_LOOKUP_FAILED_IS_ERROR", default="0") == "1",
            variables_are_read_once=environment.text("OTF_LAZY_LOAD_VARIABLES", default="0") == "1",
        )
