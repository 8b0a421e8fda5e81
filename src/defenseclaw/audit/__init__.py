"""The audit store: rows, the hash chain over them, the writer thread, the journal, export and retention."""
