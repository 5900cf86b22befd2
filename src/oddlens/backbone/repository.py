"""A repository on the hub, through the hub's own client. Nothing else of oddlens talks to the hub.

Large files are checked by the SHA-256 that the hub states, and a stopped download continues where it stopped, also in another
call: the client itself no longer does that (since its release 1.x it throws away the part of a file that has arrived).
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from oddlens.errors import ModelError, OddlensError, first_line, printable
from oddlens.io.hashes import file_hash
from oddlens.io.paths import is_file, is_link

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}


class Repository:
    """A repository at a revision. Inside `sentences` every error becomes one sentence.

    Attributes:
        hub_id: "org/name".
        revision: A branch, a tag or a commit; None is the main branch.
    """

    def __init__(self, hub_id: str, revision: str | None = None, to: Path | None = None) -> None:
        from huggingface_hub import HfApi

        self.hub_id = hub_id
        self.revision = revision
        self._api = HfApi()
        self._to = to

    def files(self, *, whole: bool = False) -> dict[str, RepoFile]:
        """The files at its root, by name. whole: those in its folders too, by their paths."""
        from huggingface_hub.hf_api import RepoFile

        entries = self._api.list_repo_tree(self.hub_id, revision=self.revision, recursive=whole)
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def files_or_none(self) -> dict[str, RepoFile] | None:
        """As `files`; None where there is no such repository."""
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        try:
            return self.files()
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            return None

    def pin(self) -> None:
        """Stay with the commit that the revision is now."""
        self.revision = self._api.model_info(self.hub_id, revision=self.revision).sha or self.revision

    def upload(self, folder: Path, message: str, replaced: Sequence[str], *, private: bool) -> str:
        """Put what is in a folder into the repository, which is made where there is none, in one commit; its address.

        replaced: patterns of files there that go where the folder lacks them.
        """
        self._api.create_repo(self.hub_id, private=private, exist_ok=True)
        done = self._api.upload_folder(
            repo_id=self.hub_id, folder_path=folder, commit_message=message, delete_patterns=list(replaced)
        )
        return str(done.commit_url)

    def download_small(self, names: Sequence[str]) -> Path:
        """Download files, again where they are there already. Returns their folder."""
        return Path(
            self._api.snapshot_download(
                self.hub_id, revision=self.revision, local_dir=self._to, allow_patterns=list(names), force_download=True
            )
        )

    def download_apart(self, name: str, place: Path) -> Path:
        """Download one file to a folder of its own. Returns its path."""
        return Path(self._api.hf_hub_download(self.hub_id, name, revision=self.revision, local_dir=place))

    def download(self, entry: RepoFile, folder: Path) -> None:
        """Download a file of any size to its path in a folder, the `to` of the repository."""
        (folder / entry.path).parent.mkdir(parents=True, exist_ok=True)
        if entry.lfs is None:
            self.download_apart(entry.path, folder)
        else:
            self.download_large(entry, folder)

    def download_large(self, entry: RepoFile, folder: Path) -> bool:
        """Download a large file, unless it is there. A file that is there and is not the hub's is replaced.

        Args:
            entry: The file.
            folder: Where small files are.

        Returns:
            Whether a file was replaced.
        """
        path = folder / entry.path
        if entry.lfs is None:  # stored as small files are, without a hash
            self._api.hf_hub_download(self.hub_id, entry.path, revision=self.revision, local_dir=self._to)
            return False
        was_damaged = is_file(path) and file_hash(path) != entry.lfs.sha256
        if was_damaged:
            _remove(path)
        if not is_file(path):
            content = path if self._to is not None else folder.parents[1] / "blobs" / entry.lfs.sha256
            if not is_file(content) or file_hash(content) != entry.lfs.sha256:
                parts = content.parent if self._to is None else folder / ".cache" / "huggingface"
                self._download_part(entry, content, parts / f".{entry.lfs.sha256}.part")
            if self._to is None:
                self._api.hf_hub_download(self.hub_id, entry.path, revision=self.revision)  # links what is there now
        return was_damaged

    def _download_part(self, entry: RepoFile, content: Path, part: Path) -> None:
        """Download the rest of a part, check the whole, and move it to its place."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import WeakFileLock, build_hf_headers  # type: ignore[attr-defined]

        assert entry.lfs is not None
        url = hf_hub_url(self.hub_id, entry.path, revision=self.revision, endpoint=self._api.endpoint)
        headers = build_hf_headers()
        location = get_hf_file_metadata(url, headers=headers).location
        if urlparse(location).netloc != urlparse(url).netloc:
            headers.pop("authorization", None)  # another machine, which must not get the token
        part.parent.mkdir(parents=True, exist_ok=True)
        lock = part.with_suffix(".lock")
        with WeakFileLock(lock):
            if is_file(content) and file_hash(content) == entry.lfs.sha256:  # by another process, meanwhile
                return
            with part.open("ab") as file:
                if file.tell() < entry.size:
                    http_get(
                        location,
                        file,
                        resume_size=file.tell(),
                        headers=headers,
                        expected_size=entry.size,
                        displayed_filename=entry.path,
                    )
            if file_hash(part) != entry.lfs.sha256:
                part.unlink()
                raise ModelError(
                    f"{entry.path} of {self.hub_id} came with another SHA-256 than the hub says, and was removed: run the same "
                    "command again, over another network if it stays so"
                )
            part.replace(content)
        lock.unlink(missing_ok=True)

    @contextmanager
    def pushing(self) -> Iterator[None]:
        """Turn every error of the client while it pushes into a `ModelError`. No sentence has a token in it."""
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        hub_id, endpoint = self.hub_id, self._api.endpoint
        try:
            with _quiet_client():
                yield
        except (OddlensError, ImportError, AttributeError, NameError, TypeError, AssertionError):
            raise  # ours, or a fault of the program
        except OfflineModeIsEnabled as error:
            raise ModelError(
                f"{hub_id} was not pushed because HF_HUB_OFFLINE is set: unset it, or push to a folder"
            ) from error
        except Exception as error:  # of the client, of the disk, or of whichever HTTP library the client uses
            status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
            if status in (401, 403):
                raise ModelError(
                    f"{endpoint} does not let you write to {hub_id}: set HF_TOKEN to a token that may, or give another name"
                ) from error
            raise ModelError(
                f"{hub_id} could not be pushed ({first_line(error)}): check the network to {endpoint}, and push again"
            ) from error

    @contextmanager
    def sentences(self) -> Iterator[None]:
        """Turn every error of the client into a `ModelError`."""
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        hub_id, endpoint = self.hub_id, self._api.endpoint
        try:
            with _quiet_client():
                yield
        except (OddlensError, ImportError, AttributeError, NameError, TypeError, AssertionError):
            raise  # ours, or a fault of the program
        except OfflineModeIsEnabled as error:
            raise ModelError(
                f"{hub_id} was not fetched because HF_HUB_OFFLINE is set: unset it and run the same command on a connected "
                "machine"
            ) from error
        except GatedRepoError as error:
            raise ModelError(
                f"{hub_id} is gated: accept its conditions at {endpoint}/{hub_id}, set HF_TOKEN to a token of your account, and "
                "run the same command again"
            ) from error
        except RepositoryNotFoundError as error:
            raise ModelError(
                f"there is no repository {hub_id} at {endpoint}: check the name; a private one needs HF_TOKEN"
            ) from error
        except RevisionNotFoundError as error:
            raise ModelError(
                f"{hub_id} has no revision {printable(str(self.revision))!r}: give a branch, a tag or a commit of it"
            ) from error
        except Exception as error:  # of the client, of the disk, or of whichever HTTP library the client uses
            if isinstance(error, OSError) and error.errno in _DISK_ERRORS and not isinstance(error, HfHubHTTPError):
                advice = "check the disk and its permissions, and run the same command again"
            else:
                advice = f"check the network to {endpoint}, and run the same command again"
            raise ModelError(
                f"{hub_id} could not be fetched ({first_line(error)}): {advice}; it continues where it stopped"
            ) from error


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Keep the client's log of each try that fails to itself: what came of them all is said in a sentence. Its bars stay."""
    from huggingface_hub.utils import logging as client

    before = client.get_verbosity()
    client.set_verbosity(max(before, logging.ERROR))
    try:
        yield
    finally:
        client.set_verbosity(before)


def _remove(path: Path) -> None:
    """Remove a file, and the target of a link."""
    while is_link(path):
        target = path.parent / path.readlink()
        path.unlink()
        path = target
    path.unlink(missing_ok=True)
