"""Software bills of materials: the documents that list the packages of an image."""
