"""Models of trees, of R and of other libraries, and files of data: all that is not numbers."""
