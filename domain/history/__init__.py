"""Records of builds: their journals, their steps, and comparisons between them."""
