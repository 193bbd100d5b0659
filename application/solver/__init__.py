"""From a plan to layers."""
