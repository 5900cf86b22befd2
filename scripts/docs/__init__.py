"""Makes the site of the documents: `python -m scripts.docs`, which `make docs` calls."""
