"""The REST interface, one file a subject. Each has a `router`; `app.py` joins them."""
