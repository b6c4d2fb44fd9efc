"""Ends well if the URL that is given answers with 200: the health check of a container that has Python and no curl."""

import http.client
import sys
from urllib.parse import urlsplit

url = urlsplit(sys.argv[1])
connection = http.client.HTTPConnection(url.hostname or "127.0.0.1", url.port, timeout=4)
connection.request("GET", url.path or "/")
answer = connection.getresponse()
sys.exit(f"{sys.argv[1]} answered {answer.status} {answer.reason}" if answer.status != 200 else 0)
