"""Policies applied to the sources and results of builds."""
