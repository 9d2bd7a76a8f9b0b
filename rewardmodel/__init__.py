"""Reward models on rankings: torch, never Django."""
