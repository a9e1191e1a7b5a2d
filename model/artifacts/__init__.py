"""The artifact folder that training writes and the service loads, and folders of several versions."""
