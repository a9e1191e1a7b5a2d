"""Documents scored offline, with the very answers of the service."""
