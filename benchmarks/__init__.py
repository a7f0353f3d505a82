"""
How fast txqmp is, next to what it is measured against: ``python -m benchmarks``.

Every case runs txqmp and its peer by turns, all processes of a case on one CPU, and gives
medians and ratios. ``docs/performance.rst`` tells what the figures mean.
"""
