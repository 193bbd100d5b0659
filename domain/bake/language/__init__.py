"""The HCL language: text to expressions, expressions to values."""
