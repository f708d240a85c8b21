"""The data of a stack: copied from another one or from the user's folder, measured, and proven untouched."""
