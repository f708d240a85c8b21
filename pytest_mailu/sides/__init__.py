"""Where observations come from: a running stack, or a recording."""
