"""The Update Framework over any road: python-tuf's client with our limits, our clock and our words.

A gate's clock may be wrong. Signatures, versions and hashes never depend on it; expiry does, so the caller says
against which moment it is held (TUF specification 5.1, "record fixed update start time").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tuf.api import exceptions as tuf
from tuf.api.metadata import TargetFile
from tuf.api.serialization import DeserializationError
from tuf.ngclient import Updater, UpdaterConfig

from gate.documents.roads import Road
from gate.errors import DocumentError

LIMITS = UpdaterConfig(
    max_root_rotations=64, max_delegations=0, root_max_length=65_536, timestamp_max_length=16_384,
    snapshot_max_length=65_536, targets_max_length=65_536,
)
"""The longest metadata that is read, in bytes; nothing is delegated."""

_REFUSALS: tuple[tuple[type[Exception], str], ...] = (
    (tuf.ExpiredMetadataError, "expired: old documents, or held back on their way; fetch those of today"),
    (tuf.BadVersionNumberError, "rollback: older than what this gate has already verified"),
    (tuf.UnsignedMetadataError, "bad signature: not signed by the keys that this gate trusts"),
    (tuf.LengthOrHashMismatchError, "mixed: a part that does not belong to this set"),
    (DeserializationError, "malformed: a part that cannot be read"),
    (tuf.RepositoryError, "malformed: a part that says what it may not"),
    (tuf.DownloadLengthMismatchError, "too long: a part that goes on beyond its limit"),
    (tuf.DownloadHTTPError, "missing: a part that was not published"),
    (tuf.SlowRetrievalError, "slow: a part that was published and does not come; it will be tried again"),
    (tuf.DownloadError, "unreadable: a part that is not what it should be"),
)
"""The first that fits an error says which kind of fault it is."""


class DocumentUpdater(Updater):
    """The client workflow over `road`, keeping what it verifies in `trust`.

    `root` is where trust begins; expiry is held against `reference_at`.
    """

    def __init__(self, road: Road, trust: Path, root: bytes, reference_at: datetime) -> None:
        super().__init__(str(trust), "metadata", fetcher=road, config=LIMITS, bootstrap=root)
        self._road = road
        self._trusted_set.reference_time = reference_at

    def refresh(self) -> None:
        """Follow the chain of roots, then timestamp, snapshot and targets; then the road's own word is checked."""
        super().refresh()
        self._road.check_promises(self._trusted_set.root)

    def copy_target(self, target: TargetFile, destination: Path) -> None:
        """Copy a target within its signed length, then verify the copy.

        `Updater.download_target` would write it twice, once to /tmp, which is memory on newer systems.

        Raises:
            tuf.DownloadError, tuf.RepositoryError: missing, longer, or not the file that was signed.
        """
        length = 0
        with destination.open("xb") as file:
            for chunk in self._fetcher.fetch(f"targets/{target.hashes['sha256']}.{target.path}"):
                length += len(chunk)
                if length > target.length:
                    raise tuf.DownloadLengthMismatchError(f"{target.path} has over {target.length} bytes")
                file.write(chunk)
        if not self.is_target(target, destination):
            raise tuf.LengthOrHashMismatchError(f"{target.path} is not the file that was signed")

    def is_target(self, target: TargetFile, path: Path) -> bool:
        """Whether the file at `path` is the target, by length and hash."""
        return self.find_cached_target(target, str(path)) is not None


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what python-tuf refuses into a `DocumentError` whose text begins with the kind of fault."""
    try:
        yield
    except (tuf.RepositoryError, tuf.DownloadError) as error:
        words = next(words for kind, words in _REFUSALS if isinstance(error, kind))
        raise DocumentError(f"{words} ({error})") from error
