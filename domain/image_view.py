"""Views of images as docker shows them: the fields of ``inspect``, ``images`` and ``history``.

Source: moby, api/types/image (InspectResponse, Summary, HistoryResponseItem) and docker/cli,
cli/command/formatter/image.go and cli/command/image/formatter_history.go.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.go.template.values import NO_LIST, NO_NAMES, Names, Structure, Value
from img.domain.oci.config import Health, History, ImageConfig, RunConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

NONE = "<none>"
MISSING = "<missing>"
SHOWN_DIGITS = 12  # of a short ID
_SHOWN_COMMAND = 45  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryStep:
    """A line of ``history``; ``size`` is that of the layer's files in bytes."""

    step: History
    size: int


def short_id(digest: Digest | None) -> str:
    """Return the short form of an ID."""
    return digest.encoded[:SHOWN_DIGITS] if digest else NONE


def inspected(
    *,
    id_: Digest,
    target: Descriptor,
    config: ImageConfig,
    names: Sequence[ImageReference],
    size: int,
    named: datetime | None,
) -> Value:
    """Return the document of ``inspect``; ``size`` in stored bytes, ``named``: time of the tag."""
    digests = dict.fromkeys(f"{name.familiar_name}@{target.digest}" for name in names)
    platform, history = config.platform, config.history
    fields: dict[str, Value] = {
        "Id": str(id_),
        "RepoTags": [name.with_tag(name.tag).familiar for name in names if name.tag],
        "RepoDigests": list(digests),
        "Parent": "",
        "Comment": history[-1].comment if history else "",
        "Created": config.created,
        "DockerVersion": "",
        "Author": config.author,
        "Config": _run_config(config.run),
        "Architecture": platform.architecture,
        **({"Variant": platform.variant} if platform.variant else {}),
        "Os": platform.os,
        **({"OsVersion": platform.os_version} if platform.os_version else {}),
        "Size": size,
        "RootFS": {"Type": "layers", "Layers": [str(each) for each in config.diff_ids]},
        "Metadata": {"LastTagTime": named.isoformat() if named else "0001-01-01T00:00:00Z"},
        "Descriptor": {
            "mediaType": target.media_type,
            "digest": str(target.digest),
            "size": target.size,
        },
    }
    return Structure(fields, {"Variant": "", "OsVersion": "", "VirtualSize": size})


def _run_config(run: RunConfig) -> Value:
    fields: dict[str, Value] = {
        "User": run.user,
        "ExposedPorts": _names({name: {} for name in run.exposed_ports}),
        "Env": [f"{name}={value}" for name, value in run.env] or NO_LIST,
        "Cmd": _list(run.cmd),
        "Volumes": _names({name: {} for name in run.volumes}),
        "WorkingDir": run.working_dir,
        "Entrypoint": _list(run.entrypoint),
        "OnBuild": _list(run.on_build),
        "Labels": _names(run.labels),
    }
    rare: dict[str, Value] = {
        "Healthcheck": run.healthcheck and _health(run.healthcheck),
        "StopSignal": run.stop_signal,
        "Shell": list(run.shell),
        "ArgsEscaped": run.args_escaped,
    }
    fields |= {name: value for name, value in rare.items() if value}
    fields |= {name: run.unknown[name] for name in sorted(run.unknown) if name not in fields}
    return Structure(fields, {**rare, "Shell": NO_LIST})


def _health(health: Health) -> Value:
    fields: dict[str, Value] = {"Test": list(health.test)}
    numbers = {
        "Interval": health.interval,
        "Timeout": health.timeout,
        "StartPeriod": health.start_period,
        "StartInterval": health.start_interval,
        "Retries": health.retries,
    }
    return Structure(fields | {name: each for name, each in numbers.items() if each}, numbers)


def _list(words: Sequence[str] | None) -> Value:
    return list(words) if words else NO_LIST


def _names(values: Mapping[str, Value]) -> Value:
    return Names(values) if values else NO_NAMES


def history_of(config: ImageConfig, sizes: Sequence[int]) -> Sequence[HistoryStep]:
    """Return the steps, last first; ``sizes`` are those of the layers, lowest first.

    Layers without a history entry are above all others.
    """
    left = list(sizes)
    steps = [
        HistoryStep(step=step, size=left.pop(0) if left and not step.empty_layer else 0)
        for step in config.history
    ]
    steps += [HistoryStep(step=History(created=config.created), size=size) for size in left]
    return steps[::-1]


def shown_command(text: str) -> str:
    """Return the command that made a layer, in docker's short form."""
    return text if len(text) <= _SHOWN_COMMAND else f"{text[: _SHOWN_COMMAND - 1]}…"
