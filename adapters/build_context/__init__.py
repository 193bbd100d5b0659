"""Build contexts: the files that COPY and ADD may read."""
