"""Listing the contents of registries over the network."""

from collections.abc import Callable, Iterator

from img.adapters.registry.connections import Access, Connections
from img.adapters.registry.failures import limited_body
from img.adapters.registry.pages import pages
from img.adapters.registry.referrers import referrers
from img.adapters.registry.request import Request, manifest_path, reading
from img.application.ports.registry import ManifestUnknown, RegistryContents, RegistryError
from img.domain.digest import Digest
from img.domain.json_text import InvalidJson, parse_json
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

_PAGE = 1000  # names per page; the registry may return fewer


class OrasRegistryContents(RegistryContents):
    """The lists of the distribution-spec. ``home`` returns the real location of a name."""

    def __init__(
        self, access: Access, home: Callable[[ImageReference], ImageReference] = lambda name: name
    ) -> None:
        self._connections = Connections(access)
        self._home = home

    def tags(self, repository: ImageReference) -> Iterator[str]:
        place = self._home(repository)
        request = reading("GET", place, f"/v2/{place.path}/tags/list?n={_PAGE}", {}, "tags")
        for page in pages(self._connections.to(place), request):
            if page is None:
                raise ManifestUnknown(f"{repository.repository}: not found")
            yield from _names(page, "tags", self._connections.to(place).host)

    def repositories(self, server: str) -> Iterator[str]:
        connection = self._connections.to_server(server)
        request = Request(
            method="GET",
            target=f"/v2/_catalog?n={_PAGE}",
            what=f"catalog of {server}",
            scope="registry:catalog:*",
        )
        for page in pages(connection, request):
            if page is None:
                raise RegistryError(f"registry {server} has no catalog")
            yield from _names(page, "repositories", connection.host)

    def referrers(
        self, repository: ImageReference, subject: Digest, artifact_type: str = ""
    ) -> Iterator[Descriptor]:
        place = self._home(repository)
        return referrers(self._connections.to(place), place, subject, artifact_type)

    def delete(self, reference: ImageReference) -> None:
        place = self._home(reference)
        connection = self._connections.to(place)
        request = Request(
            method="DELETE",
            target=manifest_path(place),
            what=f"removal of {reference.familiar}",
            scope=f"repository:{place.path}:delete,pull",
        )
        response = connection.send(request)
        if response.status_code == 404:
            response.close()
            raise ManifestUnknown(f"{reference}: not found")
        if response.status_code in {400, 405}:
            limited_body(response)
            raise _not_deleted(connection.host, reference)
        if response.status_code >= 300:
            raise connection.refusal(response, request)
        limited_body(response)


def _names(page: bytes, key: str, host: str) -> list[str]:
    """Return the list of names; some registries send null for an empty one."""
    try:
        document = parse_json(page)
    except InvalidJson:
        document = None
    names = document.get(key) or [] if isinstance(document, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RegistryError(f"registry {host} sends no list of {key}")
    return names


def _not_deleted(host: str, reference: ImageReference) -> RegistryError:
    if reference.digest is not None:
        return RegistryError(f"registry {host} does not let images be removed")
    return RegistryError(
        f"registry {host} does not let the tag {reference.familiar} be removed",
        hint="remove the image with all its tags: "
        f"img rm --remote {reference.familiar_name}@DIGEST",
    )
