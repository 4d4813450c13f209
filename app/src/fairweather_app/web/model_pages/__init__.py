"""The pages about models, and the coverage map."""
