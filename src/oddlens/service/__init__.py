"""The service: inspection on a line, over HTTP and on a page (extra `serve`). `oddlens serve` runs it; nothing here needs torch."""
