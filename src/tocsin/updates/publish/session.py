"""One run of a publisher: the folder, the keys that are at hand, the time, and who is told.

Whatever a publication needs from outside comes in here once: the clock, the way to witnesses,
the passphrases. So a test publishes at any time and against any witness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.keys import SigningKey, read_verifier
from tocsin.transparency.log import Log
from tocsin.transparency.policy import Policy
from tocsin.updates.publish.errors import PublishingKeyError, WorkspaceError
from tocsin.updates.publish.keys import KeyFolder, Secrets, once_asked
from tocsin.updates.publish.metadata import whole_second
from tocsin.updates.publish.witnesses import Post, post_over_http
from tocsin.updates.publish.workspace import PublisherSettings, Workspace

LOG_KEY = "log"
"""Name of the log's key: it is in `log.key` among the others."""

Progress = Callable[[str], None]


def _silent(_words: str) -> None:
    """Tell nobody."""


@dataclass
class Session:
    """A publisher at work.

    Attributes:
        workspace: the folder.
        settings: as the folder has them.
        keys: what is at hand.
        now: the time, to whole seconds.
        post: how witnesses are reached.
        progress: told in a few words how far it is.
    """

    workspace: Workspace
    settings: PublisherSettings
    keys: KeyFolder
    now: datetime
    post: Post = post_over_http
    progress: Progress = _silent
    _log_key: SigningKey | None = field(default=None, repr=False)

    @classmethod
    def open(
        cls,
        folder: Path,
        secrets: Secrets,
        now: datetime,
        *,
        keys: Path | None = None,
        post: Post = post_over_http,
        progress: Progress | None = None,
    ) -> Session:
        """Begin in a publisher's folder that is there.

        Args:
            folder: the publisher's.
            secrets: asked for passphrases and PINs, once for each key.
            now: the time.
            keys: folder of the keys, where it is not the one that the settings name.
            post: how witnesses are reached.
            progress: told in a few words how far it is.

        Raises:
            WorkspaceError: it is no publisher's folder.
        """
        workspace = Workspace(folder)
        settings = workspace.settings()
        chosen = keys if keys is not None else workspace.key_folder(settings)
        return cls(
            workspace,
            settings,
            KeyFolder(chosen, once_asked(secrets)),
            whole_second(now),
            post,
            progress or _silent,
        )

    @property
    def log_key_path(self) -> Path:
        """Where the log's key is."""
        return self.keys.folder / f"{LOG_KEY}.key"

    def log_key(self) -> SigningKey:
        """The log's key, opened.

        Raises:
            PublishingKeyError: it is not here, or does not open.
        """
        if self._log_key is None:
            try:
                self._log_key = SigningKey.load(self.log_key_path, self.keys.secrets(LOG_KEY))
            except TransparencyError as error:
                raise PublishingKeyError(str(error)) from error
        return self._log_key

    def log(self) -> Log:
        """The log, to read and to let grow.

        Raises:
            PublishingKeyError: the log's key is not here.
        """
        try:
            return Log(self.workspace.log, read_verifier(self.log_key_path))
        except TransparencyError as error:
            raise PublishingKeyError(str(error)) from error

    def policy(self) -> Policy:
        """Whose cosignatures are waited for.

        Raises:
            WorkspaceError: it is malformed.
        """
        try:
            return Policy.parse(self.workspace.policy_bytes())
        except TransparencyError as error:
            raise WorkspaceError(f"{self.workspace.policy_path}: {error}") from error
