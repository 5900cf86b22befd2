"""patch-knn: the nearest good patch, at several depths of a tower; ours."""
