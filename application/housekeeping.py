"""Collecting what nobody refers to."""
