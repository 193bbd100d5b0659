"""Attestations of builds: taking account of a build, and statements about its images."""
