"""One module per agent: what it sends, what it accepts, how it is governed and set free again."""
