"""A request's body: read, parsed, validated and limited before anything waits for it."""
