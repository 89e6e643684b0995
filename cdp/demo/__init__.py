"""The demo: a seeded, believable business that enters through the public doors. Composition level, beside `cdp.cli`."""
