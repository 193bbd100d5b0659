"""The packages that an image has, as its package databases and programs name them."""
