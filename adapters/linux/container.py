"""Remedies in the words of the system that started this container."""

import os

_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io"


def is_in_pod() -> bool:
    """Tell whether this process is in a pod of Kubernetes."""
    return "KUBERNETES_SERVICE_HOST" in os.environ or os.path.isdir(_SERVICE_ACCOUNT)


def remedy(pod: str, docker: str) -> str:
    """Return a remedy: ``pod`` in the spelling of a pod's YAML, elsewhere docker's options."""
    return f"in the pod, {pod}" if is_in_pod() else f"in a container, {docker}"
