"""How the database becomes what the models say, step by step."""
