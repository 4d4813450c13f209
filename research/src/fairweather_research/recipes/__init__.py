"""Recipes and plans, and what follows from them."""
