"""The types of the values of a service that builds use (compose-spec, "build").

Source: compose-go, schema/compose-spec.json.
"""

from collections.abc import Callable, Iterator, Mapping

from img.domain.bake.compose.project import Node
from img.domain.bake.errors import BakeError

_Check = Callable[[str, Node], Iterator[str]]  # yields what is wrong


def check_service_types(path: str, service: Mapping[str, Node]) -> None:
    """Raise BakeError for a value of a service, of those that builds use, with a wrong type."""
    _check(path, service, _OF_SERVICE)


def check_build_types(path: str, build: Mapping[str, Node]) -> None:
    """Raise BakeError for a value of ``build``, at ``path``, that has a wrong type."""
    _check(path, build, _OF_BUILD)


def _check(path: str, values: Mapping[str, Node], checks: Mapping[str, _Check]) -> None:
    for key, value in values.items():
        check = checks.get(key)
        for problem in check(f"{path}.{key}", value) if check else ():
            raise BakeError(problem)


def _one_of(what: str, *types: type) -> _Check:
    def check(path: str, value: Node) -> Iterator[str]:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            yield f"{path} must be a {what}"

    return check


_text = _one_of("string", str)
_switch = _one_of("boolean or string", bool, str)
_scalar = _one_of("boolean, null, number or string", bool, int, float, str, type(None))


def _texts(path: str, value: Node) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path} must be a list"
        return
    for at, item in enumerate(value):
        yield from _text(f"{path}.{at}", item)


def _pairs(path: str, value: Node) -> Iterator[str]:
    """Check ``[A=x, B]`` or a mapping to scalars."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _scalar(f"{path}.{key}", item)
    elif isinstance(value, list):
        yield from _texts(path, value)
    else:
        yield f"{path} must be a mapping"


def _hosts(path: str, value: Node) -> Iterator[str]:
    if not isinstance(value, dict):
        yield from _pairs(path, value)
        return
    for name, addresses in value.items():
        check = _texts if isinstance(addresses, list) else _text
        yield from check(f"{path}.{name}", addresses)


def _stages(path: str, value: Node) -> Iterator[str]:
    return iter(()) if isinstance(value, str) else _texts(path, value)


_OF_SERVICE: Mapping[str, _Check] = {"environment": _pairs, "image": _text}
_OF_BUILD: Mapping[str, _Check] = {
    **dict.fromkeys(
        ("context", "dockerfile", "dockerfile_inline", "isolation", "network", "target"), _text
    ),
    **dict.fromkeys(("cache_from", "cache_to", "entitlements", "platforms", "tags"), _texts),
    **dict.fromkeys(("no_cache", "privileged", "pull"), _switch),
    **dict.fromkeys(("additional_contexts", "args", "labels", "ssh"), _pairs),
    "extra_hosts": _hosts,
    "no_cache_filter": _stages,
    **dict.fromkeys(("provenance", "sbom"), _one_of("boolean or string", bool, int, str)),
    "secrets": _one_of("list", list),
    "shm_size": _one_of("integer or string", int, str),
    "ulimits": _one_of("mapping", dict),
}
