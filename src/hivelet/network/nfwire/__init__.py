"""The transactions that happen often, in the kernel's own words: what they cost follows from what changes, not from what is there.

nft's library reads all chains and sets of the host before each transaction. What is written here needs to know none of
them: chains and elements are named, and rules have their constants with them. `uapi` has the kernel's numbers,
`datatypes` packs keys and values, `expressions` and `sets` are the parts of messages, `statements` reads a rule,
`batch` a script, and `door` sends it. Pure but for the door.

What always holds: the kernel is sent what nft 1.0.6 would send for the same script, userdata included, so that nobody
can tell who wrote a rule (`tests/edge/network/test_wire.py` compares); and a script with a single line that is not known here is
the library's as a whole.
"""
