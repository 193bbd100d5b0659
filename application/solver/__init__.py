"""Solving of plans: from vertices to layers."""
