"""The tanh recurrent network, as it is trained and as it is served."""
