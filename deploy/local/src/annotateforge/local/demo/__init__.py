"""`annotateforge demo`: a sample project, a small training on it, and what the model sees."""
