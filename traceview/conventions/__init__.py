"""Attribute dialects (OpenInference, GenAI …) turned into one normal form: kinds, messages, tokens, costs. Pure."""
