"""
Random clients and monitors, good and bad, with real proxies between: ``python -m tests.soak``.

Whoever behaves well on a monitor that behaves well must get each answer, in order, and every
event; nobody may ever get a byte of another's; and the proxy must live, give back what it took,
and have journalled it all. What is against that is a loss, and ends the run.
"""
