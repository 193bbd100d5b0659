"""Random changes of files, for steps of builds and for plain directories."""
