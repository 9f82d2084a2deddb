"""The Python SDK and the annotateforge command."""
