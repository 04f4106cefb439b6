"""Files of tensors: their headers, and what is wrong with their numbers."""
