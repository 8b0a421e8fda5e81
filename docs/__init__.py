"""The documentation: written pages, and references rendered from the source (`python -m docs.generate`)."""
