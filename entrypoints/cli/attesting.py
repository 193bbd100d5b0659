"""``img attestations``."""

from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import NotFoundError, UsageError
from img.domain.image_name import ImageName
from img.entrypoints.cli import commands, options
from img.entrypoints.cli.images import Names
from img.entrypoints.cli.options import RegistryOptions, option
from img.entrypoints.cli.output import say_lines
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.cli.tables import aligned, bytes_size
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from img.application.usecases.list_attestations import FoundAttestation, ListAttestations
    from img.domain.image_place import RegistryPlace, StoredPlace

_HEADERS = ("PLATFORM", "TYPE", "SIZE", "PLACE", "DIGEST")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "attestations",
        cls=commands.followed_by("NAME"),
        short_help="List the attestations of an image, or print one.",
    )(attestations)


@shared_options
def attestations(
    session: Session,
    registries: RegistryOptions,
    names: Names = None,
    platform: Annotated[
        str, option("--platform", says="Only of the image of this platform.", value="OS/ARCH")
    ] = "",
    kind: Annotated[
        str,
        option(
            "--type",
            says="Only this type: provenance, sbom, a URI, or a digest of the list.",
            value="TYPE",
            proposes=options.one_of("provenance", "sbom"),
        ),
    ] = "",
    output: Annotated[
        str,
        option("--output", "-o", says="Write the attestation itself (-: to stdout).", value="FILE"),
    ] = "",
) -> None:
    """List the attestations of a stored image, or of docker://NAME in a registry.

    With -o the one attestation of that platform and type is written. Nothing that attestations say
    is verified; img verify checks signatures.
    """
    if not names or len(names) != 1:
        raise UsageError("must pass an image to list the attestations of")
    place = _place(names[0])
    from img.domain.image_place import RegistryPlace
    from img.domain.platform import Platform

    which = Platform.parse(platform, host_platform()) if platform else None
    domains = {place.reference.domain} if isinstance(place, RegistryPlace) else set()
    with session.open(quiet=True, access=registries.access(domains)) as container:
        listing = container.images.list_attestations()
        found = listing(place, which, kind)
        if output:
            content = _content(listing, place, found, names[0])
            if output != "-":
                with container.system.output_files().file(output) as file:
                    file.write(content)
                return
    if output:
        from img.domain.shown_text import shown_json

        say_lines([shown_json(content.decode("utf-8", "replace")), "\n"])
    else:
        say_lines(aligned([_HEADERS, *map(_row, found)]))


def _place(text: str) -> "RegistryPlace | StoredPlace":
    from img.domain.image_place import RegistryPlace, StoredPlace, parse_image_place

    if not text.startswith("docker://"):
        return StoredPlace(ImageName.parse(text.removeprefix("store:")))
    place = parse_image_place(text)
    assert isinstance(place, RegistryPlace)
    return place


def _content(
    listing: "ListAttestations",
    place: "RegistryPlace | StoredPlace",
    found: "Sequence[FoundAttestation]",
    name: str,
) -> bytes:
    """Return the only one of ``found``. Raises NotFoundError, UsageError."""
    if not found:
        raise NotFoundError(f"{name} has no such attestation", hint="build it with --provenance")
    if len(found) > 1:
        raise UsageError(
            f"{name} has {len(found)} such attestations",
            hint="choose with --platform, or --type sha256:…",
        )
    return listing.content(place, found[0])


def _row(found: "FoundAttestation") -> tuple[str, ...]:
    platform = str(found.platform) if found.platform else "-"
    place = "referrer" if found.is_referrer else "index"
    size = bytes_size(found.blob.size)
    return (platform, found.predicate_type, size, place, str(found.blob.digest))


def described(found: "Sequence[FoundAttestation]") -> list[dict[str, object]]:
    """Return the attestations for ``img inspect --attestations``."""
    return [
        {
            "Type": each.predicate_type,
            "Image": str(each.image),
            "Platform": str(each.platform) if each.platform else "",
            "Digest": str(each.blob.digest),
            "Size": each.blob.size,
            "Place": "referrer" if each.is_referrer else "index",
        }
        for each in found
    ]
