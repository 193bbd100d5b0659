"""An app in memory with real files that copies, signs and verifies images."""

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from img.adapters.output_files.local import LocalOutputFiles
from img.adapters.signing_keys.memory import MemorySigningKeys
from img.application.usecases.copy_image import Copied
from img.application.usecases.sign_image import Signed, SigningRequest
from img.application.usecases.verify_image import VerifiedImage
from img.domain.digest import Digest
from img.domain.image_place import parse_image_place
from img.domain.oci import media_types
from img.domain.oci.codec import encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from img.domain.signing.candidate import by_key
from tests.support.in_memory_app import InMemoryApp

_KEYS = MemorySigningKeys()
OURS, THEIRS = _KEYS.generate(b""), _KEYS.generate(b"")


class CopyingApp(InMemoryApp):
    """An app with a registry that lists referrers, and with real files."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.container.registries.contents.override(self.registry)
        self.container.system.output_files.override(LocalOutputFiles(io.BytesIO()))

    def copies(
        self,
        source: str,
        *targets: str,
        platform: Platform | None = None,
        referrers: bool = True,
    ) -> Sequence[Copied]:
        """Copy, and return the results of the use case."""
        return self.container.images.copy_image()(
            parse_image_place(source),
            [parse_image_place(target) for target in targets],
            platform,
            open_file=opened,
            referrers=referrers,
        )

    def copy(
        self,
        source: str,
        *targets: str,
        platform: Platform | None = None,
        referrers: bool = True,
    ) -> Descriptor:
        """Copy, and return the manifest or index at the last target."""
        return self.copies(source, *targets, platform=platform, referrers=referrers)[-1].target

    def at(self, name: str) -> Descriptor:
        """Return the manifest or index in the registry under ``name``."""
        return self.registry.resolve(ImageReference.parse(name))

    def refer_to(self, subject: Descriptor, name: str) -> Digest:
        """Push an artifact that refers to ``subject``; return its digest."""
        reference = ImageReference.parse(name)
        content = b"{}"
        config = Descriptor(
            media_type=media_types.OCI_EMPTY,
            digest=self.registry.add_blob(reference, content),
            size=len(content),
        )
        manifest = encode_manifest(
            Manifest(config=config, artifact_type="application/x-signature", subject=subject)
        )
        digest = Digest.of(manifest)
        self.registry.push_manifest(
            reference.with_digest(digest), manifest, media_types.OCI_MANIFEST
        )
        return digest

    def sign(
        self, place: str, private: bytes = OURS.private, **request: object
    ) -> Sequence[Signed]:
        """Sign the image at ``place``."""
        signer = _KEYS.signer(private, lambda: b"")
        made = SigningRequest(**request)  # type: ignore[arg-type]
        return self.container.images.sign_image()(parse_image_place(place), signer, made)

    def verify(
        self,
        place: str,
        public: bytes = OURS.public,
        predicate_type: str = "",
        platform: Platform | None = None,
    ) -> VerifiedImage:
        """Return the signatures that hold. Raises NotTrusted."""
        return self.container.images.verify_image()(
            parse_image_place(place),
            by_key(_KEYS.verifier(public).verifies),
            annotations={},
            predicate_type=predicate_type,
            platform=platform,
        )


def opened(path: str) -> AbstractContextManager[BinaryIO]:
    """Return the archive at ``path``."""
    return Path(path).open("rb") if path else nullcontext(io.BytesIO())
