"""`S3Transfer` and `S3Execution`, which Open Task Framework calls.

The framework expects 0 or 1, True or False, and the modules below raise. So each method here logs errors, a sentence
for each file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from opentaskpy.remotehandlers.remotehandler import RemoteExecutionHandler, RemoteTransferHandler

from tasks.object_clerk.errors import KeyNotFoundException, ObjectNotFoundException, SourceReplacedException
from tasks.object_clerk.s3_requests import S3Requests, head
from tasks.otf_addons import plan, worker_files
from tasks.otf_addons.bucket_copies import BucketCopies, observe
from tasks.otf_addons.connections import connect_to_s3
from tasks.otf_addons.listing import SourceObject, list_objects
from tasks.otf_addons.options import Protocol, S3Options
from tasks.otf_addons.removals import plan_removals, remove
from tasks.otf_addons.settings import Settings
from tasks.otf_addons.task_log import task_logger
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.s3_object import S3Object

# Files transferred at a time: enough to use the waits for a distant server.
FILES_AT_ONCE = 16

OK, FAILED = 0, 1
# The level of the framework's own "VERBOSE1".
VERBOSE = 11

# The target of a file: an object, a path, or None for a file that is deleted.
Target = TypeVar("Target", S3Object, str, S3Object | None)


class S3Transfer(RemoteTransferHandler):
    """A directory in a bucket that is a source or a destination of a transfer; or a file to touch."""

    TASK_TYPE = "T"

    def __init__(self, spec: dict[str, Any]) -> None:
        """Read the definition and create a client, without a request to S3.

        Args:
            spec: the definition, to which the framework adds `task_id`.

        Raises:
            SettingsError: the definition has options that do not exist, or a wrong regular expression.
        """
        super().__init__(spec)
        # The framework reads the flag file and the directory from the definition itself.
        if "flag" in spec:
            spec["flags"] = spec.pop("flag")
        spec.setdefault("directory", "")
        self.logger = task_logger(__name__, spec.get("task_id"), self.TASK_TYPE)
        self.options = S3Options.from_definition(spec)
        self.connection = connect_to_s3(Protocol.from_definition(spec["protocol"], Settings.read()))
        self._sources: dict[str, SourceObject] = {}
        self._staged: set[str] = set()
        self._keeps_versions: bool | None = None
        self._is_incomplete = False

    def supports_direct_transfer(self) -> bool:
        """Return whether files go from bucket to bucket without this machine's disk: until they are on the disk.

        The framework looks only at its last destination to decide whether files go to the others from the disk. With
        True after the download, a folder and then a bucket would get no files, and the sources would be deleted.
        """
        return not self._staged

    def list_files(self, directory: str | None = None, file_pattern: str | None = None) -> dict[str, dict[str, float]]:
        """Return the files: key -> {"size": bytes, "modified_time": seconds since 1970}.

        Args:
            directory: lists its direct files; None for the definition's directory, "" for the whole bucket.
            file_pattern: a regular expression that matches the whole of a file's name; None for the definition's.

        Raises:
            ObjectClerkException: the bucket cannot be listed.
        """
        place, pattern = self.options.search(directory, file_pattern)
        self.logger.info("Listing %s for files that match %s", place, pattern or "anything")
        sources = list_objects(self._requests(), place, pattern)
        self._sources.update(sources)
        return {key: {"size": source.size, "modified_time": source.modified} for key, source in sources.items()}

    def pull_files_to_worker(self, files: Sequence[str], local_staging_directory: str) -> int:
        """Download files. Return 0, or 1 if a file failed.

        Args:
            files: keys that `list_files` has returned.
            local_staging_directory: the folder for them.
        """

        def pull() -> int:
            plan_removals(self.options, files)
            paths = plan.staging_paths(files, local_staging_directory)
            # The framework calls this for each destination.
            missing = {key: path for key, path in paths.items() if path not in self._staged}
            self._staged.update(missing.values())
            return self._run_on_sources(
                missing, lambda source, path: worker_files.download(self._requests(), source, path)
            )

        return self._log_error(pull)

    def push_files_from_worker(self, local_staging_directory: str, file_list: Iterable[str] | None = None) -> int:
        """Upload files. Return 0, or 1 if a file failed.

        Args:
            local_staging_directory: their folder.
            file_list: their paths; None for all files of the folder.
        """

        def push() -> int:
            paths = list(file_list) if file_list else worker_files.files_in(local_staging_directory)
            targets = self.targets_of(paths)
            sources = worker_files.sources_of(paths)
            for bucket in {source.bucket for source in sources.values()}:
                plan.refuse_overlaps(bucket, {source.key: targets[path] for path, source in sources.items()})
            return self._run_on_all(targets, lambda path, target: worker_files.upload(self._requests(), path, target))

        return self.receive(push)

    def transfer_files(self, files: Sequence[str], remote_spec: dict[str, Any], dest_remote_handler: Any = None) -> int:
        """Copy files to another bucket. Return 0, or 1 if a file failed.

        Args:
            files: keys that `list_files` has returned.
            remote_spec: the destination's definition, which its handler has read already.
            dest_remote_handler: the `S3Transfer` of the destination.
        """
        destination: S3Transfer = dest_remote_handler

        def transfer() -> int:
            targets = destination.targets_of(files)
            plan.refuse_overlaps(self.options.place.bucket, targets)
            plan_removals(self.options, files)
            post_copy = self.options.post_copy
            deletes = post_copy is not None and post_copy.action == "delete"
            copies = BucketCopies(self.connection, destination.connection, confirms=deletes)
            return self._run_on_sources(targets, lambda source, target: copies.copy(self._pin(source), target))

        return destination.receive(transfer)

    def create_flag_files(self) -> int:
        """Write the flag file. Return 0, or 1 if the write or the transfer before it failed."""

        def write_flag() -> int:
            if self._is_incomplete:
                raise BucketBrigadeError(f"{self.options.flag} is not written, for files are missing")
            self._touch(self.options.flag)
            return OK

        return self._log_error(write_flag)

    def handle_post_copy_action(self, files: Sequence[str]) -> int:
        """Delete, move or rename the files that were copied. Return 0, or 1 if a file failed.

        Args:
            files: keys that `list_files` has returned.
        """
        return self._log_error(lambda: self._run_on_sources(plan_removals(self.options, files), self._remove))

    def execute(self) -> bool:
        """Touch the file that an execution's definition names. Return whether that succeeded."""

        def touch() -> int:
            self._touch(self.options.key)
            return OK

        return self._log_error(touch) == OK

    def kill(self) -> None:
        """Do nothing: the touch of a file is over at once."""

    def tidy(self) -> None:
        """Close the connections; a second call does nothing."""
        worker_files.forget(self._staged)
        self.connection.close()

    def move_files_to_final_location(self, files: Any) -> int:
        """Not for S3, where a file appears whole at its place."""
        raise NotImplementedError

    def pull_files(self, files: Any) -> int:
        """Not for S3, which fetches nothing from other servers."""
        raise NotImplementedError

    def targets_of(self, paths: Sequence[str]) -> dict[str, S3Object]:
        """Return the target of each file in this directory, by its path.

        Raises:
            PlanError: see `plan`.
        """
        targets = plan.targets_of(paths, self.options.place, self.options.rename)
        flag = self.options.flag
        plan.refuse_replacing(targets, S3Object(self.options.place.bucket, flag) if flag else None)
        return targets

    def receive(self, call: Callable[[], int]) -> int:
        """Call `call()`, which writes files here, and return 0 or 1. After a failure no flag file is written."""
        result = self._log_error(call)
        self._is_incomplete = self._is_incomplete or result != OK
        return result

    def _requests(self) -> S3Requests:
        return self.connection.requests()

    def _touch(self, key: str | None) -> None:
        assert key is not None, "the schemas require it"
        target = S3Object(self.options.place.bucket, key)
        worker_files.touch(self._requests(), target)
        self.logger.info("Touched %s", target)

    def _pin(self, source: SourceObject) -> SourceObject:
        """Return a source that will be deleted with its version, if the bucket keeps versions; if not, as it is."""
        if not self.options.post_copy or source.address.version_id or self._keeps_versions is False:
            return source
        observed, answer = observe(self._requests(), source)
        self._keeps_versions = "VersionId" in answer
        return replace(observed, annotations=source.annotations)

    def _remove(self, source: SourceObject, target: S3Object | None) -> None:
        try:
            pinned = self._pin(source)
            copied = pinned.annotations | worker_files.copied_annotations(self._staged, pinned.address)
            remove(self._requests(), replace(pinned, annotations=copied), target)
        except SourceReplacedException:
            raise
        except ObjectNotFoundException:
            # A source to delete is gone.
            if target is not None:
                raise

    def _source(self, key: str) -> SourceObject:
        if key not in self._sources:
            address = S3Object(self.options.place.bucket, key)
            answer = head(self._requests(), address)
            if answer is None:
                raise KeyNotFoundException("it is not there", operation="head_object", source=address)
            self._sources[key] = SourceObject.from_answer(address, answer)
        return self._sources[key]

    def _run_on_sources(
        self, targets: Mapping[str, Target], call: Callable[[SourceObject, Target], SourceObject | None]
    ) -> int:
        """Call `call(source, target)` for each key, and keep the source that it returns, which has its version."""

        def run(key: str, target: Target) -> None:
            source = call(self._source(key), target)
            if source:
                self._sources[key] = source

        return self._run_on_all(targets, run)

    def _run_on_all(self, targets: Mapping[str, Target], call: Callable[[str, Target], None]) -> int:
        """Call `call(path, target)` for each file, several at a time. Log failures and continue with the others."""
        failures = 0
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            calls = [(path, target, pool.submit(call, path, target)) for path, target in targets.items()]
            for path, target, future in calls:
                try:
                    future.result()
                    self.logger.log(VERBOSE, "%s -> %s", path, target or "deleted")
                except (BucketBrigadeError, OSError) as error:
                    failures += 1
                    self.logger.error("%s: %s", path, error)
        self.logger.info("%s of %s files done", len(targets) - failures, len(targets))
        return FAILED if failures else OK

    def _log_error(self, call: Callable[[], int]) -> int:
        """Call `call()` and return its result, or log its error and return 1."""
        try:
            return call()
        except (BucketBrigadeError, OSError) as error:
            self.logger.error("%s", error)
            return FAILED


class S3Execution(RemoteExecutionHandler):
    """An execution that touches a file in a bucket."""

    TASK_TYPE = "E"

    def __init__(self, spec: dict[str, Any]) -> None:
        """Read the definition; `S3Transfer` can touch the file."""
        super().__init__(spec)
        self._handler = S3Transfer(spec)

    def execute(self) -> bool:
        """Touch the file. Return whether that succeeded."""
        return self._handler.execute()

    def kill(self) -> None:
        """Do nothing: the touch of a file is over at once."""

    def tidy(self) -> None:
        """Close the connections; a second call does nothing."""
        self._handler.tidy()
