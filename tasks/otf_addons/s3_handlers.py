"""`S3Transfer` and `S3Execution`, as Open Task Framework calls them.

The framework wants 0 or 1, True or False; everything beneath raises. So each method here says in the log, in a sentence
for each file, what went wrong.
"""

# pylint: disable=logging-fstring-interpolation  # task_log says why

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from opentaskpy.remotehandlers.remotehandler import RemoteExecutionHandler, RemoteTransferHandler

from tasks.object_clerk.errors import KeyNotFoundException, ObjectNotFoundException, SourceReplacedException
from tasks.object_clerk.s3_requests import head
from tasks.otf_addons import plan, removals, worker_files
from tasks.otf_addons.bucket_copies import BucketCopies, look
from tasks.otf_addons.connections import connect_to_s3
from tasks.otf_addons.listing import Found, found_in
from tasks.otf_addons.options import Protocol, S3Options
from tasks.otf_addons.settings import Settings
from tasks.otf_addons.task_log import task_logger
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.s3_object import S3Object

# Files carried at a time: enough to bridge the waits of a distant server.
FILES_AT_ONCE = 16

OK, FAILED = 0, 1
# The detail of the framework's own "VERBOSE1".
VERBOSE = 11


class S3Transfer(RemoteTransferHandler):
    """A source or a destination of a transfer that is a directory in a bucket; or a file to touch."""

    TASK_TYPE = "T"

    def __init__(self, spec):
        """Reads the definition, makes a client, and asks S3 nothing yet.

        Args:
            spec: the definition, to which the framework adds `task_id`.

        Raises:
            SettingsError: the definition has options that do not exist, or a broken regular expression.
        """
        super().__init__(spec)
        # The framework asks the definition itself whether there is a flag file, and for the directory.
        if "flag" in spec:
            spec["flags"] = spec.pop("flag")
        spec.setdefault("directory", "")
        self.logger = task_logger(__name__, spec.get("task_id"), self.TASK_TYPE)
        self.options = S3Options.of(spec)
        self.connection = connect_to_s3(Protocol.of(spec["protocol"], Settings.read()))
        self._found = {}
        self._staged = set()
        self._keeps_versions = None
        self._is_incomplete = False

    def supports_direct_transfer(self):
        """Returns whether files go from bucket to bucket without this machine's disk: True until they are on it.

        The framework judges by its last destination alone whether files go to the others from the disk, unless it is
        told here that they do. A folder and then a bucket got nothing, and the sources were deleted.
        """
        return not self._staged

    def list_files(self, directory=None, file_pattern=None):
        """Returns the files that are there: key -> {"size": bytes, "modified_time": seconds since 1970}.

        Args:
            directory: only what lies directly in it; None for the definition's, "" for the whole bucket.
            file_pattern: a regular expression that matches the whole of a file's name; None for the definition's.

        Raises:
            ObjectClerkException: the bucket cannot be listed.
        """
        place, pattern = self.options.search(directory, file_pattern)
        self.logger.info(f"Listing {place} for files that match {pattern or 'anything'}")
        found = found_in(self.connection.requests(), place, pattern)
        self._found.update(found)
        return {key: {"size": one.size, "modified_time": one.modified} for key, one in found.items()}

    def pull_files_to_worker(self, files, local_staging_directory):
        """Downloads files; returns 0, or 1 where any of them failed.

        Args:
            files: keys that `list_files` has returned.
            local_staging_directory: the folder that takes them.
        """

        def pull():
            self._plan_removals(files)
            paths = plan.staged(files, local_staging_directory)
            # The framework asks once for each destination.
            missing = {key: path for key, path in paths.items() if path not in self._staged}
            self._staged.update(missing.values())
            return self._each(missing, lambda found, path: worker_files.download(self._requests(), found, path))

        return self._said(pull)

    def push_files_from_worker(self, local_staging_directory, file_list=None):
        """Uploads files; returns 0, or 1 where any of them failed.

        Args:
            local_staging_directory: the folder they are in.
            file_list: their paths; None for all that is in the folder.
        """

        def push():
            paths = list(file_list) if file_list else worker_files.files_in(local_staging_directory)
            targets = self.places_of(paths)
            sources = worker_files.sources_of(paths)
            for bucket in {source.bucket for source in sources.values()}:
                plan.refuse_overlaps(bucket, {source.key: targets[path] for path, source in sources.items()})
            return self._at_once(targets, lambda path, target: worker_files.upload(self._requests(), path, target))

        return self.arriving(push)

    def transfer_files(self, files, remote_spec, dest_remote_handler=None):
        """Copies files to another bucket; returns 0, or 1 where any of them failed.

        Args:
            files: keys that `list_files` has returned.
            remote_spec: the destination's definition, which its handler has read already.
            dest_remote_handler: the `S3Transfer` of the destination.
        """

        def transfer():
            targets = dest_remote_handler.places_of(files)
            plan.refuse_overlaps(self.options.place.bucket, targets)
            self._plan_removals(files)
            deletes = bool(self.options.post_copy) and self.options.post_copy.action == "delete"
            copies = BucketCopies(self.connection, dest_remote_handler.connection, confirms=deletes)
            return self._each(targets, lambda found, target: copies.copy(self._pinned(found), target))

        return dest_remote_handler.arriving(transfer)

    def create_flag_files(self):
        """Writes the flag file; returns 0, or 1 where that or the transfer before it failed."""

        def flag():
            if self._is_incomplete:
                raise BucketBrigadeError(f"{self.options.flag} is not written, for files are missing")
            self._touch(self.options.flag)
            return OK

        return self._said(flag)

    def handle_post_copy_action(self, files):
        """Deletes, moves or renames the files that were copied; returns 0, or 1 where any of them failed.

        Args:
            files: keys that `list_files` has returned.
        """

        def remove():
            targets = self._plan_removals(files)
            return self._each(targets, self._remove)

        return self._said(remove)

    def execute(self):
        """Touches the file that an execution's definition names; returns whether that worked."""

        def touch():
            self._touch(self.options.key)
            return OK

        return self._said(touch) == OK

    def kill(self):
        """Does nothing: a file is touched in no time."""

    def tidy(self):
        """Closes what is open; may be called again."""
        worker_files.forget(self._staged)
        self.connection.close()

    def move_files_to_final_location(self, files):
        """Is not for S3, where files appear whole at their place."""
        raise NotImplementedError

    def pull_files(self, files):
        """Is not for S3, which fetches nothing from other servers."""
        raise NotImplementedError

    def places_of(self, paths):
        """Returns where files go that arrive here: path -> `S3Object`.

        Raises:
            PlanError: they cannot, as `plan` says.
        """
        targets = plan.placed(paths, self.options.place, self.options.rename)
        flag = self.options.flag
        plan.refuse_replacing(targets, S3Object(self.options.place.bucket, flag) if flag else None)
        return targets

    def arriving(self, call):
        """Returns what `call()` does, 0 or 1, and remembers whether all files have arrived here."""
        result = self._said(call)
        self._is_incomplete = self._is_incomplete or result != OK
        return result

    def _requests(self):
        return self.connection.requests()

    def _touch(self, key):
        target = S3Object(self.options.place.bucket, key)
        worker_files.touch(self._requests(), target)
        self.logger.info(f"Touched {target}")

    def _plan_removals(self, files):
        return removals.planned(self.options, files) if self.options.post_copy else {}

    def _pinned(self, found):
        """Looks which version it is that will be deleted, if the bucket keeps versions; without them the ETag tells."""
        if not self.options.post_copy or found.address.version_id or self._keeps_versions is False:
            return found
        seen, answer = look(self._requests(), found)
        self._keeps_versions = "VersionId" in answer
        return replace(seen, annotations=found.annotations)

    def _remove(self, found, target):
        try:
            pinned = self._pinned(found)
            arrived = pinned.annotations | worker_files.arrived(self._staged, pinned.address)
            removals.remove(self._requests(), replace(pinned, annotations=arrived), target)
        except SourceReplacedException:
            raise
        except ObjectNotFoundException:
            # What was to be deleted is gone.
            if target is not None:
                raise

    def _of(self, key):
        if key not in self._found:
            address = S3Object(self.options.place.bucket, key)
            answer = head(self._requests(), address)
            if answer is None:
                raise KeyNotFoundException("it is not there", operation="head_object", source=address)
            self._found[key] = Found.by(address, answer)
        return self._found[key]

    def _each(self, targets, call):
        """Calls `call(found, target)` for each key, and remembers which version it was that it returns."""

        def with_found(key, target):
            seen = call(self._of(key), target)
            if seen:
                self._found[key] = seen

        return self._at_once(targets, with_found)

    def _at_once(self, targets, call):
        """Calls `call(path, target)` for all, several at a time; each failure is said, and the others go on."""
        failures = 0
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            calls = [(path, target, pool.submit(call, path, target)) for path, target in targets.items()]
            for path, target, done in calls:
                try:
                    done.result()
                    self.logger.log(VERBOSE, f"{path} -> {target or 'deleted'}")
                except (BucketBrigadeError, OSError) as error:
                    failures += 1
                    self.logger.error(f"{path}: {error}")
        self.logger.info(f"{len(targets) - failures} of {len(targets)} files done")
        return FAILED if failures else OK

    def _said(self, call):
        try:
            return call()
        except (BucketBrigadeError, OSError) as error:
            self.logger.error(str(error))
            return FAILED


class S3Execution(RemoteExecutionHandler):
    """An execution that touches a file in a bucket."""

    TASK_TYPE = "E"

    def __init__(self, spec):
        """Reads the definition, as `S3Transfer` does, which can do the same."""
        super().__init__(spec)
        self._handler = S3Transfer(spec)

    def execute(self):
        """Touches the file; returns whether that worked."""
        return self._handler.execute()

    def kill(self):
        """Does nothing: a file is touched in no time."""

    def tidy(self):
        """Closes what is open; may be called again."""
        self._handler.tidy()
