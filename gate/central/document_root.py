"""The root of trust of the published documents: which keys sign what, and the chain of roots that gates follow.

The root keys are needed here only: keep them off the machine between a first root and the next.
(TUF specification 1.0.34, sections 4.3 and 6.1.)
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import StorageError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Role, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from gate.central.keys import make_private_key
from gate.durable import only_one, write_whole
from gate.errors import UsageError
from gate.private_key import load_private_key

ONLINE_ROLES = (Targets.type, Snapshot.type, Timestamp.type)
"""The roles that sign each publication."""
ROOT_DAYS = 730

Kind = TypeVar("Kind", Root, Targets, Snapshot, Timestamp)


def init_repository(
    repo: Path, keys: Path, now: datetime, *, root_keys: int = 2, root_threshold: int = 1,
    root_days: int = ROOT_DAYS,
) -> str:
    """Make the keys and the first root, and give the root's fingerprint (SHA-256 in hex).

    `root_threshold` of the `root_keys` have to sign a change of keys; with more keys than that, one may be lost.

    Raises:
        UsageError: there is a repository or a key already, or more signatures than keys are asked for.
    """
    if not 1 <= root_threshold <= root_keys:
        raise UsageError(f"{root_threshold} of {root_keys} keys cannot sign; ask for 1 to {root_keys} signatures")
    if (repo / "metadata").exists():
        raise UsageError(f"{repo} holds a repository already; to change its keys use renew-root")
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = Root(version=1, expires=now + timedelta(days=root_days))
    signers = _new_keys(root, Root.type, keys, root_keys, root_threshold)
    for role in ONLINE_ROLES:
        _new_keys(root, role, keys, 1, 1)
    (repo / "targets").mkdir(parents=True)
    (repo / "metadata").mkdir()
    content = _signed(root, root, signers)
    write_whole(repo / "metadata" / "1.root.json", content)
    return hashlib.sha256(content).hexdigest()


def renew_root(
    repo: Path, keys: Path, now: datetime, *, replace: Collection[str] = (), root_days: int = ROOT_DAYS,
) -> int:
    """Publish the next root with a later expiry, and new keys for the roles in `replace`; gives its version.

    Gates follow from root to root. After replacing a key, publish: what the old key signed counts no more.

    Raises:
        UsageError: too few root keys are there, or a role is none of TUF's four.
    """
    unknown = set(replace) - {Root.type, *ONLINE_ROLES}
    if unknown:
        raise UsageError(f"{min(unknown)!r} is none of {Root.type}, {', '.join(ONLINE_ROLES)}")
    with only_one(repo / ".lock", "publishing"):
        old = newest_root(repo)
        old_signers = _signers(old, Root.type, keys)
        root = copy.deepcopy(old)
        root.version, root.expires = old.version + 1, now + timedelta(days=root_days)
        for role in replace:
            count, threshold = len(root.roles[role].keyids), root.roles[role].threshold
            for key_id in list(root.roles[role].keyids):
                root.revoke_key(key_id, role)
            _new_keys(root, role, keys, count, threshold)
        signers = [*old_signers, *(_signers(root, Root.type, keys) if Root.type in replace else ())]
        content = _signed(root, root, signers)
        _require_signed(old, Metadata[Root].from_bytes(content))
        write_whole(repo / "metadata" / f"{root.version}.root.json", content)
        return root.version


def root_fingerprint(repo: Path) -> str:
    """SHA-256 in hex of the first root, which installers compare before they trust it."""
    try:
        return hashlib.sha256((repo / "metadata" / "1.root.json").read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{repo}: no repository ({error.strerror}); make one with init") from error


def newest_root(repo: Path) -> Root:
    """The root in force.

    Raises:
        UsageError: there is no repository.
    """
    versions = [int(path.name.partition(".")[0]) for path in (repo / "metadata").glob("*.root.json")]
    if not versions:
        raise UsageError(f"{repo}: no repository; make one with `gate central documents init`")
    return read_metadata(repo / "metadata" / f"{max(versions)}.root.json", Root)


def read_metadata(path: Path, kind: type[Kind]) -> Kind:
    """Read one metadata file of our own repository.

    Raises:
        UsageError: missing or damaged.
    """
    try:
        body = Metadata.from_file(str(path)).signed
    except (StorageError, DeserializationError) as error:
        raise UsageError(f"{path} is damaged ({error}); bring the repository back from its backup") from error
    if not isinstance(body, kind):
        raise UsageError(f"{path} is {body.type} metadata; bring the repository back from its backup")
    return body


def sign(body: Kind, root: Root, keys: Path) -> bytes:
    """Sign metadata with the keys in the folder that the root names for it.

    Raises:
        UsageError: fewer keys are there than have to sign.
    """
    return _signed(body, root, _signers(root, body.type, keys))


def _new_keys(root: Root, role: str, keys: Path, count: int, threshold: int) -> list[CryptoSigner]:
    signers = []
    for number in range(1, count + 1):
        suffix = "" if count == 1 else f"-{number}"
        generation = "" if root.version == 1 else f"-v{root.version}"
        signers.append(CryptoSigner(make_private_key(keys / f"{role}{generation}{suffix}.pem")))
    root.roles[role] = Role([], threshold)
    for signer in signers:
        root.add_key(signer.public_key, role)
    return signers


def _signers(root: Root, role: str, keys: Path) -> list[CryptoSigner]:
    """The keys in the folder that the root names for `role`.

    Raises:
        UsageError: fewer than its threshold.
    """
    found = (CryptoSigner(load_private_key(path)) for path in sorted(keys.glob(f"{role}*.pem")))
    wanted = root.roles[role]
    signers = [signer for signer in found if signer.public_key.keyid in wanted.keyids]
    if len(signers) < wanted.threshold:
        raise UsageError(f"{keys}: {len(signers)} of the {wanted.threshold} keys that have to sign as {role}; "
                         f"bring the {role} keys there")
    return signers


def _signed(body: Kind, root: Root, signers: Iterable[CryptoSigner]) -> bytes:
    metadata = Metadata(body)
    for signer in signers:
        metadata.sign(signer, append=True)
    _require_signed(root, metadata)
    return metadata.to_bytes(JSONSerializer(compact=False))


def _require_signed(root: Root, metadata: Metadata[Kind]) -> None:
    role = metadata.signed.type
    try:
        root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except UnsignedMetadataError as error:
        raise UsageError(f"{role}: gates would refuse it ({error}); bring the keys that the root names") from error
