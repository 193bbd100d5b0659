"""Typed values of expressions, as go-cty has them."""
