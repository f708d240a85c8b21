"""One half of the comparison as a running stack: Mailu by compose, in its sealed world."""
