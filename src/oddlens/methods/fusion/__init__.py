"""Two methods as one: their scores and maps, joined by what is usual of each on good images."""
