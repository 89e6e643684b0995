"""How fields are answered: expressions, edges, roots; mutations call a room."""
