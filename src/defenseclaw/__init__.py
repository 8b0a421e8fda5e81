"""DefenseClaw: decides, records and explains what AI agents may do."""

__version__ = "0.1.0"
