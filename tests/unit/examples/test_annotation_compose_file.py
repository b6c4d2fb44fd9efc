"""The reference application is deployed by the very file it was once published with."""

import hashlib
from pathlib import Path

COMPOSE_FILE = Path(__file__).parents[3] / "examples/annotation/docker-compose.yml"


def test_compose_file_is_unchanged_to_the_byte():
    content = COMPOSE_FILE.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert digest == "a7c08a87026c956ad8aeedef6306d1ecd2bda2add11a581579c364000ea9dda0"
    assert content.endswith(b"networks:\n  webnet:\n")
