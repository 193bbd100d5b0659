"""Export of images as archives and layouts."""
