"""Ways to tell a `Report`: each takes the report and nothing else, so a `report.json` is enough for all of them."""
