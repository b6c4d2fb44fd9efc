import pytest

from hivelet.errors import Conflict, NotFound
from hivelet.objects.container import ContainerConfig
from hivelet.runtime.images.catalog import Catalog
from hivelet.runtime.images.records import ImageRecord, LayerRecord
from hivelet.runtime.images.removal import ImageUse, plan_removal

A, B = f"sha256:{'a1' * 32}", f"sha256:{'a2' * 32}"
DIGEST = f"sha256:{'d' * 64}"
WEB, WEB2, ACME = (
    "docker.io/library/web:latest",
    "docker.io/library/web:2",
    "docker.io/acme/web:1",
)
WEB_DIGEST = f"docker.io/library/web@{DIGEST}"


def layer(name: str) -> LayerRecord:
    return LayerRecord(diff_id=f"sha256:{name * 64}", directory=name * 16, size=10)


def image(image_id: str, *layers: LayerRecord) -> ImageRecord:
    diff_ids = tuple(item.diff_id for item in layers)
    return ImageRecord(id=image_id, config=ContainerConfig(), raw=b"", diff_ids=diff_ids)


@pytest.fixture
def catalog():
    catalog = Catalog()
    base = layer("1")
    catalog.add_image(image(A, base, layer("2")), [base, layer("2")])
    catalog.add_image(image(B, base, layer("3")), [base, layer("3")])
    catalog.add_name(WEB, A)
    return catalog


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web", A),
        ("docker.io/library/web:latest", A),
        (A, A),
        (A.removeprefix("sha256:"), A),
        ("a1a1", A),
        ("sha256:a2", B),
        (f"web@{A}", A),
    ],
)
def test_names_and_ids_are_found(catalog, text, found):
    assert catalog.resolve(text).id == found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nope", "nope:latest"),
        ("nope:3", "nope:3"),
        ("a", "a:latest"),  # ambiguous
        ("f" * 64, "f" * 64),
        (f"web@{DIGEST}", f"web@{DIGEST}"),
        (f"other@{A}", f"other@{A}"),
    ],
)
def test_others_are_unknown_in_dockers_words(catalog, text, shown):
    with pytest.raises(NotFound) as caught:
        catalog.resolve(text)
    assert caught.value.message == f"No such image: {shown}"


def test_a_name_moves_and_leaves_its_image_dangling(catalog):
    catalog.add_name(WEB, B)
    assert catalog.get(A).tags == ()
    assert catalog.get(B).tags == (WEB,)


def test_a_name_goes_before_an_id(catalog):
    catalog.add_name("docker.io/library/a1a1:latest", B)
    assert catalog.resolve("a1a1").id == B


def test_sizes_are_those_of_the_layers(catalog):
    assert catalog.get(A).size == 20
    assert catalog.get(A).layer_sizes == (10, 10)


def test_layers_go_with_their_last_user(catalog):
    catalog.drop_image(A)
    assert catalog.unused_layers((), ()) == [layer("2")]
    assert catalog.unused_layers([layer("2").diff_id], ()) == []
    assert catalog.unused_layers((), [layer("2").directory]) == []


def names(catalog, *wanted):
    for name in wanted:
        catalog.add_name(name, A)


def test_one_of_two_names_goes_alone(catalog):
    names(catalog, ACME)
    plan = plan_removal(catalog, "web")
    assert (plan.names, plan.delete) == ((WEB,), False)


def test_the_last_name_takes_digests_and_image_along(catalog):
    names(catalog, WEB_DIGEST)
    plan = plan_removal(catalog, "web:latest")
    assert (plan.names, plan.delete) == ((WEB, WEB_DIGEST), True)


def test_an_id_takes_all_names_of_one_repository(catalog):
    names(catalog, WEB_DIGEST)
    plan = plan_removal(catalog, "a1a1")
    assert (set(plan.names), plan.delete) == ({WEB, WEB_DIGEST}, True)


@pytest.mark.parametrize("other", [WEB2, ACME])
def test_an_id_with_several_names_needs_force(catalog, other):
    names(catalog, other)
    with pytest.raises(Conflict, match=r"\(must be forced\) - image is referenced in multiple"):
        plan_removal(catalog, A)
    assert plan_removal(catalog, A, force=True).delete


RUNNING = ImageUse(image_id=A, container_id="c" * 64, running=True)
STOPPED = ImageUse(image_id=A, container_id="d" * 64)


@pytest.mark.parametrize(
    ("text", "force", "uses", "message"),
    [
        (
            "web",
            False,
            [RUNNING],
            'unable to remove repository reference "web:latest" (must force)',
        ),
        (
            "web",
            False,
            [STOPPED],
            "container dddddddddddd is using its referenced image a1a1a1a1a1a1",
        ),
        (A, False, [STOPPED], "(must be forced) - image is being used by stopped container dddd"),
        (A, False, [STOPPED, RUNNING], "(cannot be forced) - image is being used by running"),
        (A, True, [RUNNING], "(cannot be forced) - image is being used by running container cccc"),
    ],
)
def test_a_used_image_stays(catalog, text, force, uses, message):
    with pytest.raises(Conflict) as caught:
        plan_removal(catalog, text, force=force, uses=uses)
    assert message in caught.value.message


def test_force_takes_the_name_of_a_running_containers_image_only(catalog):
    plan = plan_removal(catalog, "web", force=True, uses=[RUNNING])
    assert (plan.names, plan.delete) == ((WEB,), False)


def test_force_deletes_the_image_of_a_stopped_container(catalog):
    assert plan_removal(catalog, A, force=True, uses=[STOPPED]).delete


def test_uses_of_other_images_do_not_count(catalog):
    assert plan_removal(catalog, B, uses=[RUNNING]).delete
