"""What the service bears: real processes, clients that misbehave, and a ledger of what became of each request."""
