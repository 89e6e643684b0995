"""The database floor: connections, the embedded server, migrations, ids, cursors and named SQL; it knows no domain."""
