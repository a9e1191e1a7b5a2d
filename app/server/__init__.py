"""Processes, sockets and connections below ASGI."""
