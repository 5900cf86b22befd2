"""What users teach a station: names of defects, and what marked images change."""
