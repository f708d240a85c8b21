"""The frozen values that everything passes around, and what can be said about them without asking anybody."""
