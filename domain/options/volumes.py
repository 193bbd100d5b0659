"""``--volume``: directories and files of the host in the RUN steps of a build."""

from collections.abc import Sequence

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.filesystem import paths

# Options of buildah's that change nothing here: steps get no label, and no mount leaves a step.
_WITHOUT_EFFECT = frozenset(("z", "Z", "private", "rprivate", "nodev", "nosuid", "exec", "rbind"))
_RIGHTS = ("ro", "rw")


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A volume as the user names it."""

    source: str  # of the host
    target: str  # absolute, in the steps
    read_only: bool = False

    @classmethod
    def parse(cls, text: str) -> "VolumeSpec":
        """Return the volume of ``HOST:PATH[:OPTION,...]``. Raises UsageError."""
        source, _, rest = text.partition(":")
        target, _, options = rest.partition(":")
        if not source or not target.startswith("/") or "\0" in text:
            raise UsageError(f"--volume {text}: use HOST:PATH[:ro], with an absolute PATH")
        target = f"/{paths.clean(target)}"
        if target == "/":
            raise UsageError(f"--volume {text}: a volume cannot hide the root of a step")
        if f"{target}/".startswith("/proc/"):  # as in runc: programs trust what they read there
            raise UsageError(f"--volume {text}: a volume cannot be inside /proc")
        given = options.split(",") if options else []
        for option in given:
            if option not in _WITHOUT_EFFECT and option not in _RIGHTS:
                raise UsageError(
                    f"--volume {text}: the option {option} is not supported",
                    hint="use ro or rw",
                )
        rights = [option for option in given if option in _RIGHTS]
        if len(set(rights)) > 1:
            raise UsageError(f"--volume {text}: ro and rw exclude each other")
        return cls(source, target, "ro" in rights)


def parse_volumes(texts: Sequence[str]) -> Sequence[VolumeSpec]:
    """Return volumes with different targets. Raises UsageError."""
    found: dict[str, VolumeSpec] = {}
    for text in texts:
        spec = VolumeSpec.parse(text)
        if found.setdefault(spec.target, spec) != spec:
            raise UsageError(f"--volume {text}: {spec.target} is the target of another volume")
    return tuple(found.values())
