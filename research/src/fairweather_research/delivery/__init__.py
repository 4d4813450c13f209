"""What is delivered: metadata, examples, the model card, and how it is published."""
