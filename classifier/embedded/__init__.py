"""One installation on one machine: broker, web, worker and chores as children of one process."""
