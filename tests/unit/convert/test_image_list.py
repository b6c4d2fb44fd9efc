import pytest

from hivelet.convert.filters import parse_filters
from hivelet.convert.image import FILTERS, select_images
from hivelet.objects.image import Image
from hivelet.testing.sample import MOMENT

IMAGES = [
    Image(
        id="sha256:1",
        repo_tags=["bb:latest", "r/one:1", "r/one:2"],
        repo_digests=["r/one@sha256:" + "a" * 64],
    ),
    Image(id="sha256:2", repo_tags=["web:latest"]),
    Image(id="sha256:3"),
]


@pytest.mark.parametrize(
    ("pattern", "tags"),
    [
        ("r/one", ["r/one:1", "r/one:2"]),
        ("r/one:2", ["r/one:2"]),
        ("*/one:1", ["r/one:1"]),
        ("*", ["bb:latest", "web:latest"]),
        ("nothing", []),
    ],
)
def test_of_an_images_names_those_are_listed_that_were_asked_for(pattern, tags):
    filters = parse_filters(f'{{"reference":["{pattern}"]}}', FILTERS)
    chosen = select_images(IMAGES, filters, now=MOMENT)
    assert [tag for image in chosen for tag in image.repo_tags] == tags


def test_a_digest_is_a_name_as_well():
    filters = parse_filters('{"reference":["r/one@sha256:*"]}', FILTERS)
    [image] = select_images(IMAGES, filters, now=MOMENT)
    assert (image.repo_tags, len(image.repo_digests)) == ([], 1)
