"""Requests that random ones found wanting, each by itself: paths with line breaks, logins without a name, networks of odd types."""

from __future__ import annotations

import pytest

LINES = "a%0Ab"


@pytest.mark.parametrize(
    "path",
    [
        f"/services/{LINES}",
        f"/containers/{LINES}/json",
        f"/v1.41/containers/{LINES}/json",
        f"/networks/{LINES}",
        f"/tasks/%0A{LINES}",
        f"/nowhere/{LINES}",
        "/%0A",
        "/v1.4%0A1/version",
    ],
)
async def test_a_path_with_a_line_break_is_not_found_in_json(api, path: str) -> None:
    status, body = await api.ask("GET", path)
    assert status in {400, 404}
    assert list(body) == ["message"]


@pytest.mark.parametrize("body", ["[]", "1", '"a"', '{"username": 1}', '{"auth": []}', "{"])
async def test_a_login_of_another_form_is_refused(api, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    status, found = await api.ask("POST", "/auth", data=body, headers=headers)
    assert status == 400
    assert list(found) == ["message"]


@pytest.mark.parametrize("word", ["a%00b", "%27", "%FF"])
async def test_words_of_top_are_read_as_text(api, word: str) -> None:
    status, _ = await api.ask("GET", f"/containers/c1/top?ps_args={word}")
    assert status in {200, 400}


@pytest.mark.parametrize(
    "field",
    [
        '"Name": 1',
        '"Driver": []',
        '"IPAM": "x"',
        '"IPAM": {"Config": [1]}',
        '"Labels": {"a": 1}',
        '"Options": []',
        '"ConfigFrom": 1',
    ],
)
async def test_a_network_of_another_form_is_refused(api, field: str) -> None:
    headers = {"Content-Type": "application/json"}
    body = f'{{"Name": "n", {field}}}'
    status, found = await api.ask("POST", "/networks/create", data=body, headers=headers)
    assert status == 400
    assert list(found) == ["message"]
