"""Learned parts and stations for others: pushed to a folder or a repository on a hub, and pulled from there."""
