"""`python -m lab.graphs`."""

from lab import commands

commands.run(commands.graphs, "lab.graphs")
