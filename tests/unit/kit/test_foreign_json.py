import msgspec
import pytest

from hivelet.kit.foreign_json import DEPTH, decode_json


@pytest.mark.parametrize("depth", [DEPTH + 1, 500, 5_000, 200_000])
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_too_deeply_is_refused(depth, opened, closed):
    raw = opened * depth + "1" + closed * depth
    with pytest.raises(msgspec.DecodeError, match="nested more than 100 deep"):
        decode_json(raw)
    with pytest.raises(msgspec.DecodeError, match="nested more than 100 deep"):
        decode_json(f'{{"x": {raw}}}'.encode(), dict[str, object])


def test_what_is_not_is_data():
    data = decode_json("[" * DEPTH + "]" * DEPTH)
    for _ in range(DEPTH - 1):
        (data,) = data
    assert data == []
    assert decode_json(b'{"a": [1, "b", null]}') == {"a": [1, "b", None]}
