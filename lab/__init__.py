"""Not in the wheel: generators of pictures and streets, and the training of the embedded model and the street pair."""
