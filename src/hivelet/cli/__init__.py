"""The `hivelet` command: a client of the Docker Engine API with the docker CLI's words, tables and templates.

One file for each noun; `main` knows exit codes and how an error looks, `session` what every command needs, `render` how
things are printed. Modules are imported when their command is called, so that the command line starts quickly.
"""
