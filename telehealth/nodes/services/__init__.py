"""Nodes: put into use, kept up to date, settled."""
