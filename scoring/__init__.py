"""``docket predict``: offline prediction with the same answers as the service."""
