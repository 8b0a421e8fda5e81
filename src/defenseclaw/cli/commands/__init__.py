"""One module per command; its name is the command's, its ``command`` the click command.

Modules import nothing heavy at the top: ``defenseclaw --help`` imports them all.
"""
