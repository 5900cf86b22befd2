"""A small vision-language pair that knows generated streets: its training, and the captions that it learns from."""
