"""How commands print: Docker's tables, Go templates, human durations and sizes, and one view for each kind of object.

Pure: views turn the API's JSON (and `now`) into rows, `listing` turns rows into text.
"""
