"""One run: both sides opened, the selected behaviours asked, the results gathered."""
