"""The LLM judge: a model's second opinion on what the rules leave open. An optional lane, off by default.

::

    lane        which judges are asked about one event, and what their answers change
      plan      strategy, kind and findings → questions                                      (pure)
      samples   the event's text, bounded, secrets out                                       (pure)
      prompts   question → system and user text, the sample fenced                           (pure)
      formats/  prompt → request bytes, reply bytes → text; one module per wire format       (pure)
      endpoint  one HTTP exchange: bounded, verified, never redirected
      replies   text → typed answer, or a failure                                            (pure)
      grading   answers → findings                                                           (pure)

The judged text is data, and so is the judge's reply. Whatever goes wrong, the deterministic verdict stands.
Nothing here is imported while the lane is off. Source: ``spec/guardrail.md`` §12.
"""
