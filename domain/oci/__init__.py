"""What comes out: the documents of the OCI image-spec."""
