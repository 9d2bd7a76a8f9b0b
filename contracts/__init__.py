"""What the web side and the torch side agree on. Standard library only."""
