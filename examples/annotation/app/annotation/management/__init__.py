"""Commands of manage.py that this app adds or changes."""
