# What counts the tests is tested too.
BESIDE += test/tap/tap.py
