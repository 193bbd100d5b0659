"""The process of a worker that runs the steps of builds of other machines."""
