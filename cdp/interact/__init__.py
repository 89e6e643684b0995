"""Dialogue with customers: cases and their threads, what they want to be told and how, and the letters that tell it."""
