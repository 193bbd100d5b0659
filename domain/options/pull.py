"""``--pull``: docker's switch and podman's policies (buildah-build.1.md, "--pull")."""

from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.pull_policy import PullPolicy

_NAMES = {
    "always": PullPolicy.ALWAYS,
    "missing": PullPolicy.MISSING,
    "ifmissing": PullPolicy.MISSING,
    "never": PullPolicy.NEVER,
    "newer": PullPolicy.NEWER,
    "ifnewer": PullPolicy.NEWER,
}


def parse_pull(text: str) -> PullPolicy:
    """Return the policy that ``--pull=text`` asks for. Raises UsageError."""
    on = parse_boolean(text)
    if on is not None:
        return PullPolicy.ALWAYS if on else PullPolicy.MISSING
    policy = _NAMES.get(text.lower())
    if policy is None:
        raise UsageError(
            f"invalid --pull {text!r}", hint="always, missing, never, newer, true or false"
        )
    return policy
