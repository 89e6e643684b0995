"""The private area of key accounts: a second ASGI application that asks the same schema as everyone else."""
