"""The HTTP API on 18970: a door. It translates requests into events and verdicts into answers.

::

    uvicorn ── BoundedProtocol      protocol.py   sizes and times of what arrives, before anything else
                 └─ Edge            edge.py       Host → token → browser checks → route → body → handler
                      └─ routes/*   one module per route family, found by walking the package

Source: seed ``gateway-api``, ``spec/gateway-api.md``.
"""
