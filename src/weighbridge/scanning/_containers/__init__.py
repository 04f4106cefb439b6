"""Containers: archives and compressed streams, whose members go back to the router."""
