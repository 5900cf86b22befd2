"""Not in the wheel: generators of images and streets, and the training of the embedded model and the street pair."""
