"""Figures, tables, the page, and the folder that holds them."""
