"""Assertions on images. A failed one lists all differences, not only the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import re

    from img import Image, ImageFile

_ANY: Any = object()  # not compared
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def assert_file(
    image: Image,
    path: str,
    *,
    content: str | bytes | re.Pattern[str] = _ANY,
    mode: int = _ANY,
    owner: tuple[int, int] = _ANY,
    kind: str = _ANY,
    link: str = _ANY,
    size: int = _ANY,
) -> ImageFile:
    """Return the file at ``path``, after comparing what is given.

    ``content`` is the whole content, or a pattern that is searched in the text. ``owner`` is uid
    and gid; ``kind`` is such as "file", "directory" or "symlink". Links are followed in the parents
    of the path only. Raises AssertionError.
    """
    file = image.files.get(path)
    if file is None:
        raise AssertionError(f"{image!r} has no file {path}")
    _compare(
        f"{path} of {image!r}",
        _differences(
            {
                "kind": (file.kind.name.lower(), kind),
                "mode": (f"{file.mode:04o}", mode if mode is _ANY else f"{mode:04o}"),
                "owner": ((file.uid, file.gid), owner),
                "link": (file.link, link),
                "size": (file.size, size),
            }
        ),
        _content_differences(file, content),
    )
    return file


def assert_no_file(image: Image, pattern: str) -> None:
    """Raise AssertionError if files match ``pattern`` (ImageFiles.glob); the message names them."""
    found = [file.path for file in image.files.glob(pattern)]
    shown = ", ".join(found[:10]) + (" …" if len(found) > 10 else "")
    assert not found, f"{image!r} has {len(found)} files that match {pattern}: {shown}"


def assert_config(
    image: Image,
    *,
    user: str = _ANY,
    workdir: str = _ANY,
    cmd: Sequence[str] | None = _ANY,
    entrypoint: Sequence[str] | None = _ANY,
    env: Mapping[str, str | None] = _ANY,
    labels: Mapping[str, str | None] = _ANY,
    ports: Sequence[str] = _ANY,
    volumes: Sequence[str] = _ANY,
    stop_signal: str = _ANY,
    architecture: str = _ANY,
) -> None:
    """Compare what is given with the config. Raises AssertionError.

    ``env`` and ``labels`` list the names to compare, others may exist; None means that the name
    must not exist. Ports are such as "8080/tcp".
    """
    run, platform = image.config.run, image.config.platform
    _compare(
        f"the config of {image!r}",
        _differences(
            {
                "user": (run.user, user),
                "workdir": (run.working_dir, workdir),
                "cmd": (_list(run.cmd), _list(cmd)),
                "entrypoint": (_list(run.entrypoint), _list(entrypoint)),
                "ports": (_list(run.exposed_ports), _list(ports)),
                "volumes": (_list(run.volumes), _list(volumes)),
                "stop_signal": (run.stop_signal, stop_signal),
                "architecture": (platform.architecture, architecture),
                **_named("env", dict(run.env), env),
                **_named("labels", run.labels, labels),
            }
        ),
    )


def assert_size(image: Image, *, at_most: int | str) -> None:
    """Raise AssertionError if the image takes more bytes in a store: 20_000_000, or "20MB"."""
    most = at_most if isinstance(at_most, int) else _bytes(at_most)
    size = image.size
    assert size <= most, f"{image!r} has {size} bytes, more than {at_most}"


def _compare(where: str, *differences: Iterator[str]) -> None:
    found = [line for lines in differences for line in lines]
    if found:
        raise AssertionError("\n".join((f"{where}:", *(f"  {line}" for line in found))))


def _differences(pairs: Mapping[str, tuple[object, object]]) -> Iterator[str]:
    for name, (actual, expected) in pairs.items():
        if expected is not _ANY and actual != expected:
            yield f"{name} is {actual!r}, not {expected!r}"


def _content_differences(file: ImageFile, content: str | bytes | re.Pattern[str]) -> Iterator[str]:
    if content is _ANY:
        return
    actual = file.read_bytes()
    if isinstance(content, bytes):
        yield from _differences({"content": (actual, content)})
        return
    text = actual.decode("utf-8", "surrogateescape")
    if isinstance(content, str):
        yield from _differences({"content": (text, content)})
    elif content.search(text) is None:
        yield f"content {text!r} has no match of {content.pattern!r}"


def _named(
    name: str, actual: Mapping[str, str], expected: Mapping[str, str | None]
) -> dict[str, tuple[object, object]]:
    if expected is _ANY:
        return {}
    return {f"{name}[{key!r}]": (actual.get(key), value) for key, value in expected.items()}


def _list(values: Any) -> Any:
    return values if values is None or values is _ANY else list(values)


def _bytes(text: str) -> int:
    import re

    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMG]?i?B)?", text, re.IGNORECASE)
    unit = (found[2] or "B").upper() if found else ""
    if found is None or unit not in _UNITS:
        raise ValueError(f'"{text}" is no size: such as 500KB, 20MB or 1GiB')
    return int(float(found[1]) * _UNITS[unit])
