"""Lists that come in pages, from servers that do it well or badly."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.connections import Access
from img.adapters.registry.contents import OrasRegistryContents
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_SUBJECT = Digest.of(b"subject")


def _contents() -> OrasRegistryContents:
    return OrasRegistryContents(
        Access(credentials=MemoryCredentials(), sleep=lambda _: None),
    )


def _name(server: ScriptedServer) -> ImageReference:
    return ImageReference(domain=server.address, path="team/app", tag="v1")


def _pages(
    *pages: Mapping[str, object], links: tuple[str, ...] = ()
) -> Callable[[Request], Answer]:
    """Answer page by page; ``links`` are the Link headers of all but the last."""

    def answer(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer()
        number = int(request.path.rpartition("page=")[2]) if "page=" in request.path else 0
        path = request.path.partition("?")[0]
        link = links[number] if number < len(links) else f'<{path}?page={number + 1}>; rel="next"'
        headers = {"Link": link} if number + 1 < len(pages) or links else {}
        return Answer(headers=headers, body=json.dumps(pages[number]).encode())

    return answer


def _referrer(number: int, artifact_type: str = "a/b") -> dict[str, object]:
    digest = Digest.of(bytes([number]))
    return {
        "mediaType": media_types.OCI_MANIFEST,
        "digest": str(digest),
        "size": number,
        "artifactType": artifact_type,
    }


def _index(*manifests: dict[str, object]) -> dict[str, object]:
    return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": list(manifests)}


def test_tags_are_read_page_by_page() -> None:
    with ScriptedServer(_pages({"tags": ["a", "b"]}, {"tags": ["c"]})) as server:
        assert list(_contents().tags(_name(server))) == ["a", "b", "c"]


def test_repositories_are_read_page_by_page() -> None:
    pages = _pages({"repositories": ["a"]}, {"repositories": ["b"]}, {"repositories": None})
    with ScriptedServer(pages) as server:
        assert list(_contents().repositories(server.address)) == ["a", "b"]


def test_referrers_are_read_page_by_page_and_filtered_here() -> None:
    pages = _pages(_index(_referrer(1), _referrer(2, "c/d")), _index(_referrer(3)))
    with ScriptedServer(pages) as server:
        found = list(_contents().referrers(_name(server), _SUBJECT, "a/b"))
    assert [one.size for one in found] == [1, 3]
    asked = server.asked("GET", f"/v2/team/app/referrers/{_SUBJECT}")
    assert asked[0].path.endswith("?artifactType=a%2Fb")


@pytest.mark.parametrize(
    "link", ['</v2/team/app/tags/list?page=0>; rel="next"', '<https://evil.test/>; rel="next"']
)
def test_pages_that_lead_astray_are_not_followed(link: str) -> None:
    pages = _pages({"tags": ["a"]}, links=(link,))
    with ScriptedServer(pages) as server, pytest.raises(RegistryError, match="next page"):
        list(_contents().tags(_name(server)))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tags": 1}', b'{"tags": [1]}'])
def test_a_list_that_is_none_is_an_error(body: bytes) -> None:
    with (
        ScriptedServer(lambda _: Answer(body=body)) as server,
        pytest.raises(RegistryError, match="sends no list of tags"),
    ):
        list(_contents().tags(_name(server)))


def test_without_the_list_of_referrers_there_is_a_tag() -> None:
    def answer(request: Request) -> Answer:
        if request.path == f"/v2/team/app/manifests/sha256-{_SUBJECT.encoded}":
            headers = {"Content-Type": media_types.OCI_INDEX}
            return Answer(headers=headers, body=json.dumps(_index(_referrer(1))).encode())
        return Answer(status=200 if request.path == "/v2/" else 404)

    with ScriptedServer(answer) as server:
        assert len(list(_contents().referrers(_name(server), _SUBJECT))) == 1


def _push_with_subject(answer: Callable[[Request], Answer]) -> list[str]:
    """Push what refers to another; return what was sent after."""
    digest = str(_SUBJECT)
    subject = {"mediaType": media_types.OCI_MANIFEST, "digest": digest, "size": 7}
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest, "size": 7}
    manifest = {"schemaVersion": 2, "config": config, "layers": [], "subject": subject}

    def confirming(request: Request) -> Answer:
        answered = answer(request)
        stored = {"Docker-Content-Digest": str(Digest.of(request.body))}
        return replace(answered, headers={**answered.headers, **stored})

    with ScriptedServer(confirming) as server:
        OrasRegistry(credentials=MemoryCredentials(), sleep=lambda _: None).push_manifest(
            _name(server), json.dumps(manifest).encode(), media_types.OCI_MANIFEST
        )
    changes = [r for r in server.requests if r.method == "PUT"]
    return [r.path.rpartition("/")[2] for r in changes]


def test_a_registry_that_knows_of_subjects_needs_no_tag() -> None:
    sent = _push_with_subject(lambda _: Answer(status=201, headers={"OCI-Subject": str(_SUBJECT)}))

    assert sent == ["v1"]


def test_for_another_registry_the_tag_is_kept_up_to_date() -> None:
    def answer(request: Request) -> Answer:
        if request.method == "GET" and "manifests" in request.path:
            return Answer(status=404)
        return Answer(status=201 if request.method == "PUT" else 200)

    assert _push_with_subject(answer) == ["v1", f"sha256-{_SUBJECT.encoded}"]


def test_a_registry_that_removes_no_tags_is_told_from_one_that_removes_nothing() -> None:
    def answer(request: Request) -> Answer:
        return Answer(status=405 if request.method == "DELETE" else 200)

    with ScriptedServer(answer) as server:
        name = _name(server)
        with pytest.raises(RegistryError, match=r"does not let the tag .* be removed") as by_tag:
            _contents().delete(name)
        assert by_tag.value.hint
        assert f"img rm --remote {name.familiar_name}@" in by_tag.value.hint
        with pytest.raises(RegistryError, match="does not let images be removed"):
            _contents().delete(name.with_digest(_SUBJECT))
