"""One module per reference; each has ``pages() -> {path below docs/: text}``."""
