"""Facts of trade: accounts, orders, shipments and the account ledger, from which every statement is computed."""
