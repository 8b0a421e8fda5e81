"""Configuration and credentials of the operator: read strictly, edited gently, watched."""
