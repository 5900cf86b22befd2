"""Hostile inputs by the thousand: whatever is handed over, the answer is a clean result or one sentence.

A kind of input is one file here: a function that draws an input from a random number generator and says how it is run. The
inputs of a kind are known by a seed and a number, so that any of them can be drawn again.

    test_fuzz.py          a share of each kind, in the test suite
    python -m tests.fuzz        the long run (`make fuzz`), and one input again: --again KIND:SEED:NUMBER
"""
