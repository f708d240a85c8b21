"""From two observations to a verdict, and from all verdicts to a decision: comparison, advice, waivers."""
