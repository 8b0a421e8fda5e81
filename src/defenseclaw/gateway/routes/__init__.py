"""One module per route family of the seed; each exports ``ROUTES``, and the application walks the package."""
