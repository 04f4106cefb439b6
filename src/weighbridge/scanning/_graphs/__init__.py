"""Graphs of operators: which of them do more than compute, and which files they name."""
