"""Documents: texts of all kinds, and what they make a loader do."""
