"""How `scan` reads a notebook without running it.

`text` turns cells into syntax trees, `flow` goes through them and works out what each name may
stand for, and the rules, which are told of every use, change and call, collect what is found.
"""
