"""Facts as received: the inbox of messages and the interactions they tell of."""
