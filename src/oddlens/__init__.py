"""oddlens finds what is wrong in a picture with vision-language models."""

__version__ = "0.1.0"
