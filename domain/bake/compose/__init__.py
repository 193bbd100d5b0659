"""Compose files as definitions of targets (compose-spec, bake/compose.go)."""
