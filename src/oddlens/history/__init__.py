"""What was inspected: rows in a database, and pictures, maps and drawings on disk under the hashes of their contents. No torch."""
