import pytest

from hivelet.convert.filters import parse_filters
from hivelet.convert.image import FILTERS, check_platform, select_images
from hivelet.errors import NotFound
from hivelet.objects.common import Platform
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


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ("linux/amd64", True),
        ("linux/x86_64", True),
        ("amd64", True),
        ("linux", True),
        ("linux/arm64", False),
        ("arm64", False),
        ("windows/amd64", False),
    ],
)
def test_a_container_is_made_of_the_platform_that_was_asked_for(wanted, fits):
    image = Image(id="sha256:1", platform=Platform(os="linux", architecture="amd64"))
    if fits:
        check_platform(image, "bb", wanted)
    else:
        with pytest.raises(NotFound, match=f"wanted {wanted}, actual: linux/amd64"):
            check_platform(image, "bb", wanted)
