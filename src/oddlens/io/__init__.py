"""Reading and writing: images, videos, pixels, and files that are written whole or not at all. Nothing here needs torch."""
