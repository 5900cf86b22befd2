"""Results for the programs that people already use: one file for each, which its name leads to."""
