"""What every command works with: the deployment, AWS clients and the output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.config import Config

from ops.aws import Account
from ops.deployment import Deployment, Mirror, Task
from ops.discovery import from_file, from_tags, from_terraform
from ops.errors import OpsError
from ops.screen import Screen


class Brigade:
    """The global options of the command line, and what follows from them.

    Args:
        as_json: print NDJSON.
        region: region of the deployment, or None.
        profile: profile of its account, or None.
        endpoint_url: URL of all services, or None.
        destination_profile: profile of the mirror's account, or None.
        terraform: folder of its Terraform, or None.
        outputs: file with Terraform's outputs, or None.
        deployment: its `name_prefix`, to find it by its tags, or None.
    """

    def __init__(self, as_json: bool = False, **options: str | None) -> None:
        self.screen = Screen(as_json)
        self._options = options
        self.account = Account(options.get("region"), options.get("profile"), options.get("endpoint_url"))

    @property
    def names_a_deployment(self) -> bool:
        """Whether an option names a deployment."""
        return any(self._options.get(option) for option in ("deployment", "outputs", "terraform"))

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment.

        Raises:
            OpsError: it is not found, or is in another region.
        """
        name, outputs, folder = (self._options.get(option) for option in ("deployment", "outputs", "terraform"))
        if name:
            found = from_tags(self.account, name)
        elif outputs:
            found = from_file(Path(outputs))
        else:
            found = from_terraform(Path(folder) if folder else None)
        deployment, region = Deployment.of(*found), self.account.session.region_name
        if deployment.region and region and region != deployment.region:
            raise OpsError(f"{deployment.where} is in {deployment.region}, not in {region}: correct --region")
        return deployment

    def client(self, service: str, config: Config | None = None) -> Any:
        """Return a new client of the deployment's account and region."""
        return self.account.client(service, config)

    def settings(self, function: str) -> Mapping[str, str]:
        """Return the environment of a function, as it is deployed."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=function)
        found: dict[str, str] = configuration.get("Environment", {}).get("Variables", {})
        return found

    def destination_s3(self, mirror: Mirror, config: Config | None = None) -> Any:
        """Return an S3 client of the mirror, see `destination_client`."""
        return self.destination_client(mirror, "s3", config)

    def destination_client(self, mirror: Mirror, service: str, config: Config | None = None) -> Any:
        """Return a client of the mirror's account and region.

        Its credentials are those of `--destination-profile`, else the key in the mirror's secret, else the
        deployment's.

        Raises:
            OpsError: the secret cannot be read.
        """
        settings = self.settings(mirror.replicate)
        profile = self._options.get("destination_profile")
        endpoint = settings.get("DEST_ENDPOINT_URL") or self._options.get("endpoint_url")
        account = Account(settings["DEST_BUCKET_REGION"], profile or self._options.get("profile"), endpoint)
        keys = self._keys_in(mirror.secret) if mirror.secret and not profile else None
        return account.client(service, config, keys)

    @property
    def has_destination_profile(self) -> bool:
        """Whether the user names credentials of the mirror's account."""
        return bool(self._options.get("destination_profile"))

    def task(self, name: str | None, tasks: tuple[Task, ...]) -> Task:
        """Return the task that an option names, or the only one.

        Args:
            name: the option's value, or None.
            tasks: the tasks that the command can work on.

        Raises:
            OpsError: there is none, or the choice is open.
        """
        names = ", ".join(task.name for task in tasks) or "none"
        found = [task for task in tasks if name in (None, task.name)]
        if len(found) != 1:
            raise OpsError(f"--task should be one of these: {names}; it is {name}")
        return found[0]

    def _keys_in(self, secret: str) -> tuple[str, str]:
        text = self.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        try:
            keys = json.loads(text)
            return keys["accesskey"], keys["secretaccesskey"]
        except (ValueError, KeyError, TypeError):
            # The text is a secret, so it is not quoted.
            reason = "it should be a JSON object with accesskey and secretaccesskey"
            raise OpsError(f"the secret {secret} cannot be used: {reason}") from None
