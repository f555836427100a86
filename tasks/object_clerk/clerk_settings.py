"""The settings of `ObjectClerk`, and the keys and types of its configurations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tasks.object_clerk.clerk_arguments import problems_of
from tasks.object_clerk.open_uploads import HOUR_SECONDS
from tasks.object_clerk.transfers import Transfer
from tasks.utils.settings import Environment

if TYPE_CHECKING:
    from boto3.s3.transfer import TransferConfig

# 500 MiB, the default of the package object-clerk, so that ETags are the same as with that package.
MULTIPART_THRESHOLD = 524_288_000
# botocore makes each request once, and the clerk repeats it. S3 may be silent for a minute at most.
CLIENT_CONFIG = {"connect_timeout": 60, "read_timeout": 60, "retries": {"max_attempts": 0}}

CLIENT_EXAMPLE = 'a JSON object such as {"read_timeout": 30}'
TRANSFER_EXAMPLE = 'a JSON object such as {"max_concurrency": 4}'

JsonType = type | tuple[type, ...]
JsonTypes = dict[str, JsonType]

NUMBER: JsonType = (int, float)
TEXT_OR_LIST: JsonType = (str, list)
TYPE_NAMES: dict[JsonType, str] = {
    int: "a whole number",
    NUMBER: "a number",
    bool: "true or false",
    str: "a text",
    dict: "an object",
    TEXT_OR_LIST: "a text or a list",
}

# The options of botocore's Config by their type in JSON, so that a wrong one is found before the first request.
# botocore checks options that are not listed here.
CLIENT_TYPES: JsonTypes = {
    **dict.fromkeys(("connect_timeout", "read_timeout"), NUMBER),
    **dict.fromkeys(("max_pool_connections", "request_min_compression_size_bytes"), int),
    **dict.fromkeys(("proxies", "proxies_config", "s3", "retries", "client_context_params"), dict),
    **dict.fromkeys(
        (
            "disable_request_compression",
            "endpoint_discovery_enabled",
            "ignore_configured_endpoint_urls",
            "inject_host_prefix",
            "parameter_validation",
            "s3_disable_express_session_auth",
            "tcp_keepalive",
            "use_dualstack_endpoint",
            "use_fips_endpoint",
        ),
        bool,
    ),
    **dict.fromkeys(
        (
            "account_id_endpoint_mode",
            "auth_scheme_preference",
            "defaults_mode",
            "region_name",
            "request_checksum_calculation",
            "response_checksum_validation",
            "sigv4a_signing_region_set",
            "signature_version",
            "user_agent",
            "user_agent_appid",
            "user_agent_extra",
        ),
        str,
    ),
    "client_cert": TEXT_OR_LIST,
}
# botocore compares these with numbers before it checks their type.
RETRIES_TYPES: JsonTypes = {"max_attempts": int, "total_max_attempts": int, "mode": str}
# The options of boto3's TransferConfig. Three of them have no effect here: the clerk's own parameters count attempts,
# and there is neither a queue of blocks nor another client between a part and its request.
TRANSFER_TYPES: JsonTypes = {
    **dict.fromkeys(("multipart_threshold", "multipart_chunksize", "max_concurrency", "io_chunksize"), int),
    **dict.fromkeys(("num_download_attempts", "max_io_queue", "max_bandwidth"), int),
    "use_threads": bool,
    "preferred_transfer_client": str,
}


@dataclass(frozen=True)
class ClerkSettings:
    """The settings of a clerk, from its arguments and the environment.

    Attributes:
        client_config: for the clerk's own client.
        upload: the sizes and bounds of uploads.
        download: the sizes and bounds of downloads.
        direct_requests: the clerk's own client sends the most common requests without most of botocore.
        given: the constructor's argument `transfer_config`.
    """

    client_config: Config
    upload: Transfer
    download: Transfer
    direct_requests: bool
    given: Mapping[str, Any] | TransferConfig | None

    @property
    def transfer_config(self) -> TransferConfig:
        """The boto3 `TransferConfig` that was given, or else one with the settings of uploads."""
        if self.given is not None and not isinstance(self.given, Mapping):
            return self.given
        # On first use: a clerk itself does not import boto3.
        from boto3.s3.transfer import TransferConfig  # pylint: disable=import-outside-toplevel  # see above

        return TransferConfig(
            multipart_threshold=self.upload.threshold,
            multipart_chunksize=self.upload.part_size,
            max_concurrency=self.upload.workers,
            io_chunksize=self.upload.block,
            use_threads=self.upload.workers > 1,
        )

    @classmethod
    def read(
        cls,
        values: Mapping[str, str] | None = None,
        *,
        client_config: Mapping[str, Any] | Config | None = None,
        transfer_config: Mapping[str, Any] | TransferConfig | None = None,
        **arguments: object,
    ) -> ClerkSettings:
        """Return the settings.

        Args:
            values: the environment; None for that of this process.
            client_config: the constructor's argument in place of `S3_CLIENT_CONFIG`: a dict or a `Config`.
            transfer_config: the constructor's argument in place of the other two, part sizes included: a dict or a
                `TransferConfig`.
            **arguments: the constructor's other arguments, which are only checked.

        Raises:
            SettingsError: one sentence for each argument or setting that is wrong, naming argument or variable and key.
        """
        environment = Environment(os.environ if values is None else values)
        for problem in problems_of({**arguments, "client_config": client_config, "transfer_config": transfer_config}):
            environment.problem(problem)
        upload, download = _transfers(environment, transfer_config)
        config = _client_config(environment, client_config)
        direct_requests = environment.switch("DIRECT_REQUESTS", default=True)
        environment.finish()
        # Without a configuration `finish` has raised.
        return cls(config or Config(), upload, download, direct_requests, transfer_config)


def without_signed_bodies(config: Config) -> Config:
    """Return a configuration that leaves bodies out of the signature, unless it says otherwise.

    boto3 does so over TLS: TLS and the checksum of each write protect them.
    """
    # The stubs leave the options out.
    given: Any = config
    signing: Any = {"payload_signing_enabled": False, **(given.s3 or {})}
    return config.merge(Config(s3=signing))


def _transfers(environment: Environment, given: Any) -> tuple[Transfer, Transfer]:
    """Return the transfers of uploads and downloads."""
    threshold = environment.integer("MULTIPART_THRESHOLD", default=MULTIPART_THRESHOLD, least=1)
    sizes = {"multipart_threshold": threshold, "multipart_chunksize": threshold}
    uploads = environment.json_object("S3_UPLOAD_CONFIG", default={}, example=TRANSFER_EXAMPLE)
    downloads = environment.json_object("S3_DOWNLOAD_CONFIG", default={}, example=TRANSFER_EXAMPLE)
    upload = _transfer(environment, "S3_UPLOAD_CONFIG", uploads, **sizes)
    download = _transfer(environment, "S3_DOWNLOAD_CONFIG", downloads)
    quiet_seconds = environment.number("ABANDONED_UPLOAD_SECONDS", default=HOUR_SECONDS, least=0)
    if given is not None:
        upload = download = _transfer(environment, "transfer_config", _as_dict(given, TRANSFER_TYPES))
    return replace(upload, quiet_seconds=quiet_seconds), download


def _client_config(environment: Environment, given: Mapping[str, Any] | Config | None) -> Config | None:
    if isinstance(given, Config):
        return given
    name, options = "client_config", dict(given) if isinstance(given, Mapping) else {}
    if given is None:
        name = "S3_CLIENT_CONFIG"
        # A copy, because botocore changes the retries that it is given.
        options = environment.json_object(name, default=deepcopy(CLIENT_CONFIG), example=CLIENT_EXAMPLE)
    # The stubs leave OPTION_DEFAULTS out.
    defaults: Iterable[str] = getattr(Config, "OPTION_DEFAULTS")
    known: JsonTypes = dict.fromkeys(defaults, object) | CLIENT_TYPES
    if not _are_known(environment, name, options, known):
        return None
    if not _are_known(environment, f"{name}: retries", options.get("retries") or {}, RETRIES_TYPES):
        return None
    try:
        return Config(**options)
    except (BotoCoreError, TypeError, ValueError) as error:
        environment.problem(f"{name} is refused by botocore: {error}")
        return None


def _transfer(environment: Environment, name: str, options: dict[str, Any], **sizes: int) -> Transfer:
    if not _are_known(environment, name, options, TRANSFER_TYPES):
        return Transfer()
    options = {key: value for key, value in options.items() if value is not None}
    too_small = [key for key, value in options.items() if isinstance(value, int) and key != "use_threads" and value < 1]
    for key in too_small:
        environment.problem(f"{name}: {key} is {options[key]}; it should be 1 or more")
    if "max_bandwidth" in options:
        environment.problem(f"{name}: max_bandwidth cannot be kept here; limit max_concurrency instead")
    default = Transfer()
    chosen = {**options, **sizes}
    workers = chosen.get("max_concurrency", default.workers)
    return Transfer(
        threshold=chosen.get("multipart_threshold", default.threshold),
        part_size=chosen.get("multipart_chunksize", default.part_size),
        workers=workers if chosen.get("use_threads", True) and not too_small else 1,
        block=chosen.get("io_chunksize", default.block),
    )


def _are_known(environment: Environment, name: str, options: Mapping[str, Any], types: JsonTypes) -> bool:
    """Report unknown keys and values of another type; return whether there were none. Null has every type."""
    before = len(environment.problems)
    for key, value in options.items():
        if key not in types:
            environment.problem(f"{name}: there is no key {key!r}")
        elif value is not None and not _fits(value, types[key]):
            environment.problem(f"{name}: {key} is {value!r}; it should be {TYPE_NAMES[types[key]]}")
    return len(environment.problems) == before


def _fits(value: object, kind: JsonType) -> bool:
    # In Python, unlike JSON, true is a number.
    if isinstance(value, bool):
        return kind in (bool, object)
    return isinstance(value, kind)


def _as_dict(config: Any, names: Iterable[str]) -> dict[str, Any]:
    if isinstance(config, Mapping):
        return dict(config)
    return {name: getattr(config, name) for name in names if getattr(config, name, None) is not None}
