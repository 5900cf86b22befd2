"""Images and pages for people: overlays, label images, HTML. Nothing here needs torch."""
