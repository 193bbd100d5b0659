"""``img cp``: files out of the root of a step of a recorded build, or out of an image."""

from collections.abc import Callable

from img.application.outputs.files import WriteFiles
from img.application.ports.image_store import ImageNotFound
from img.application.ports.state_lock import StateLock
from img.application.transfer.catalog import Catalog
from img.application.transfer.find_image import FindImage
from img.application.usecases.read_history import ReadHistory, step_of
from img.domain.copy_out import CopySource, Destination, placing_of
from img.domain.dataclass import dataclass
from img.domain.errors import NotFoundError, UsageError
from img.domain.filesystem import paths
from img.domain.filesystem.entry import BLOCK, CHARACTER, DIRECTORY, EntryKind
from img.domain.history.record import BuildRecord
from img.domain.history.selection import NoSuchBuild, is_selector
from img.domain.history.step_root import layers_around
from img.domain.image_name import ImageName
from img.domain.oci.chain import Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform, WantedPlatform
from img.domain.reference import InvalidReference

_STANDARD_OUTPUT = "-"


class NothingToCopy(NotFoundError):
    """A step or an image has no file at a path."""

    def __init__(self, owner: str, path: str) -> None:
        super().__init__(f"{owner} has no file /{path}")
        self.path = path


def _reach_nothing(_record: BuildRecord) -> None:
    """Do nothing: all layers are on this machine or in registries."""


@dataclass(frozen=True, slots=True)
class _Root:
    """The root file system of a step or an image, and a name for messages."""

    name: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOut:
    """Files of a step or image, copied from the blobs of its layers."""

    history: ReadHistory
    find: FindImage
    catalog: Catalog
    files: WriteFiles
    lock: StateLock
    reach: Callable[[BuildRecord], object] = _reach_nothing  # ReachRecordedStore

    def __call__(
        self,
        source: CopySource,
        destination: Destination | None,
        platform: WantedPlatform,
        *,
        owners: bool,
        before: bool = False,
        follow: bool = False,
    ) -> list[str]:
        """Copy; return the devices that were left out, which need ``owners``.

        Without a destination, write a tar file to standard output. An image is that for
        ``platform``; none may be named for a step. The files of a step are those after it, or
        ``before`` it. A link at the end of the path is copied as a link, or with ``follow``
        resolved in the root of the step or image. Raises NothingToCopy, UsageError, NoSuchBuild,
        NoPlatformMatch, ImageNotFound, BlobNotFound, UnpackRefused, OutputNotWritten.
        """
        with self.lock.reading():
            root = self._root(source.owner, platform, before=before)
            top, kind = self._found(source, root, follow=follow)
            is_directory = kind == DIRECTORY
            if destination is None:
                name = "" if is_directory and source.contents_only else source.name
                self.files.copy_as_tar(root.layers, top, _STANDARD_OUTPUT, name)
                return []
            if kind in (CHARACTER, BLOCK) and not owners:
                raise UsageError(f"/{top} is a device", hint="only root can make one; - writes tar")
            place = placing_of(source, destination, is_directory=is_directory)
            return self.files.copy(root.layers, top, place.directory, place.name, owners=owners)

    def _found(self, source: CopySource, root: _Root, *, follow: bool) -> tuple[str, EntryKind]:
        """Return the path of the source without links, and the kind of its file."""
        tree = self.files.trees.of(root.layers)
        top = tree.resolve(source.path, follow=follow or source.has_to_be_directory)
        entry = tree.get(top)
        if entry is None:
            raise NothingToCopy(root.name, paths.clean(source.path))
        if source.has_to_be_directory and entry.kind != DIRECTORY:
            raise UsageError(f"/{paths.clean(source.path)} of {root.name} is not a directory")
        return top, entry.kind

    def _root(self, owner: str, platform: WantedPlatform, *, before: bool) -> _Root:
        build, colon, step = owner.partition(":")
        if not self._is_step(owner):
            if before:
                raise UsageError(f"--before is for a step, and {owner} is an image")
            return self._image_root(owner, platform)
        if isinstance(platform, Platform):
            raise UsageError(f"--platform is for an image, and {owner} is a step")
        if not colon:
            raise UsageError(f"{owner} names no step", hint=f"such as {owner}:3:/etc/passwd")
        record = self.history.find(build)
        found = step_of(record, step) if step else record.failed
        if found is None:
            raise UsageError(f"no step of build {record.id} failed", hint="name a step")
        self.reach(record)
        return _Root(found.name, layers_around(record, found, before=before))

    def _is_step(self, owner: str) -> bool:
        """Return whether ``owner`` begins with a build. Raises UsageError if it may be both."""
        build, colon, _ = owner.partition(":")
        if not build or build.startswith("^"):
            return True
        if not colon or not self.history.is_build(build):
            return False
        if self._image(owner) is not None:
            raise UsageError(
                f"{owner} is an image and may be a step of build {build}",
                hint=f"docker.io/library/{owner} is the image; name the build as ^NUMBER",
            )
        return True

    def _image(self, owner: str) -> Descriptor | None:
        """Return the image with this name or ID, None if there is none. Raises AmbiguousImage."""
        try:
            return self.find(ImageName.parse(owner)).target
        except (ImageNotFound, InvalidReference):
            return None

    def _image_root(self, owner: str, platform: WantedPlatform) -> _Root:
        """Return the root of an image. Raises NoSuchBuild for what looks like a step."""
        build, colon, _ = owner.partition(":")
        if colon and is_selector(build) and self._image(owner) is None:
            raise NoSuchBuild(build, f"{owner} is neither a step of a build nor an image")
        target = self.find(ImageName.parse(owner)).target
        return _Root(owner, tuple(self.catalog.image(target, platform).layers))
