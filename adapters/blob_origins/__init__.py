"""Where blobs can be had."""
