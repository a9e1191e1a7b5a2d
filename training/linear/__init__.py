"""The linear models that the network takes in."""
