"""The files COPY and ADD may read."""
