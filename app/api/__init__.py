"""The HTTP interface: routes, their answers, and the table from failure to status."""
