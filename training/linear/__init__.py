"""The linear models that become units of the network."""
