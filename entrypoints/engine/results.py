"""The results of commands as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from img.application.outputs.solved import BuiltImage
from img.application.ports.exporter import ArchivedImage
from img.application.transfer.catalog import Image
from img.application.transfer.publish import Published
from img.application.usecases.list_images import ListedImage
from img.domain.oci.descriptor import Descriptor
from img.domain.options.lock import LockChanges
from img.entrypoints.engine.protocol import ImageRecord


def images_of(result: object) -> Mapping[str, ImageRecord]:
    """Return the images of a command's result (protocol.Ran); a result without any has none."""
    match result:
        case LockChanges():
            return {}
        case Mapping():
            return {str(name): _record(each) for name, each in result.items() if each is not None}
        case Sequence() if not isinstance(result, str):
            return {str(number): _record(each) for number, each in enumerate(result)}
        case BuiltImage() | Image():
            return {"0": _record(result)}
        case _:
            return {}


def lines_of(result: object) -> tuple[str, ...]:
    """Return the lines of a command's result (protocol.Ran)."""
    return result.lines if isinstance(result, LockChanges) else ()


def _record(result: object) -> ImageRecord:
    match result:
        case BuiltImage():
            single = result.images[0] if len(result.images) == 1 else None
            size = sum(each.size for each in result.images)
            id_ = single.manifest.config.digest if single else result.target.digest
            names = tuple(str(name) for name in result.names)
            return record_of(result.target, names=names, size=size, id_=str(id_))
        case Image():
            return record_of(
                result.target, size=result.size, id_=str(result.manifest.config.digest)
            )
        case Published():
            return record_of(result.target)
        case ArchivedImage():
            names = tuple(str(name) for name in result.references)
            return record_of(result.target, names=names, id_=str(result.id or ""))
        case ListedImage():
            image = result.image
            return record_of(
                image.target,
                names=(str(image.reference),) if image.reference else (),
                size=result.size or 0,
                id_=str(result.id or ""),
                created=result.created.isoformat() if result.created else "",
            )
    raise TypeError(f"a {type(result).__name__} is no image")


def record_of(
    target: Descriptor,
    *,
    names: tuple[str, ...] = (),
    size: int = 0,
    id_: str = "",
    created: str = "",
) -> ImageRecord:
    """Return the record of the image at ``target``."""
    return ImageRecord(
        digest=str(target.digest),
        media_type=target.media_type,
        size=size or target.size,
        document_size=target.size,
        names=names,
        id=id_,
        created=created,
    )
