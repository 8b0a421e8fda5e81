"""Proves that an agent's real configuration is enforced: a canary through the agent's own program.

:func:`~defenseclaw.verification.run.verify` starts a stand-in for a language model on loopback and the agent
against it, has it try a harmless command that the policy denies, and compares what happened with what is on
record.
"""
