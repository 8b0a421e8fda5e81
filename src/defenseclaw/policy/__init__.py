"""Findings and posture become a verdict; pure."""
