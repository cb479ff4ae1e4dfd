"""Who may call and how often: API keys, rate limits, and the gate that asks for both.

keys.Ring       the clients of a file, found by the digest of what they send
rates.Rates     one number a client, shared by all processes of a machine
gate.Gate       both, in front of every request; nothing of it runs where neither is set
new_key         ``glyphscope-key``: makes a key and adds its digest to the file
"""
