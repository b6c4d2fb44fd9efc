import pytest

from hivelet.errors import InvalidParameter
from hivelet.runtime.images.users import find_user, parse_group, parse_passwd, resolve_user

PASSWD = parse_passwd(
    [
        "root:x:0:0:root:/root:/bin/sh",
        "# a comment:x:9:9",
        "broken",
        "web:x:1000:1001:Web:/srv/web:/bin/false",
        "1002:x:55:56::/home/odd:/bin/sh",
        "short:x:7:8",
    ]
)
GROUP = parse_group(
    ["root:x:0:", "web:x:1001:", "www:x:33:web,other", "log:x:4:web", "66:x:67:", "bad:x:y:"]
)


@pytest.mark.parametrize(
    ("spec", "ids", "additional", "home"),
    [
        ("", (0, 0), (0,), "/root"),
        ("root", (0, 0), (0,), "/root"),
        ("web", (1000, 1001), (1001, 33, 4), "/srv/web"),
        ("1000", (1000, 1001), (1001, 33, 4), "/srv/web"),
        ("web:log", (1000, 4), (4,), "/srv/web"),
        ("web:77", (1000, 77), (77,), "/srv/web"),
        ("4242", (4242, 0), (0,), "/"),
        ("4242:4243", (4242, 4243), (4243,), "/"),
        ("1002", (55, 56), (56,), "/home/odd"),
        (":log", (0, 4), (4,), "/root"),
        ("web:66", (1000, 67), (67,), "/srv/web"),
        ("short", (7, 8), (8,), "/"),
    ],
)
def test_users_are_dockers(spec, ids, additional, home):
    user = resolve_user(spec, PASSWD, GROUP)
    assert (user.uid, user.gid) == ids
    assert user.additional_gids == additional
    assert user.home == home


def test_group_add_comes_after():
    assert resolve_user("web", PASSWD, GROUP, ["log", "99"]).additional_gids == (1001, 33, 4, 99)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("web:nobody", "unable to find group nobody: no matching entries in group file"),
        ("2147483648", "uids and gids must be in range 0-2147483647"),
        ("web:99999999999", "uids and gids must be in range 0-2147483647"),
        ("-1", "unable to find user -1"),
    ],
)
def test_others_are_refused_in_dockers_words(spec, message):
    with pytest.raises(InvalidParameter) as caught:
        resolve_user(spec, PASSWD, GROUP)
    assert message in caught.value.message


def test_an_image_without_files_has_numbers_only(tmp_path):
    assert find_user(tmp_path, "12:34").gid == 34
    with pytest.raises(InvalidParameter, match="unable to find user web"):
        find_user(tmp_path, "web")


def test_a_symlink_does_not_lead_to_the_hosts_file(tmp_path):
    (tmp_path / "etc").mkdir()
    outside = tmp_path / "outside"
    outside.write_text("evil:x:0:0::/:\n")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "passwd").symlink_to(outside)
    with pytest.raises(InvalidParameter, match="unable to find user evil"):
        find_user(root, "evil")


def test_a_symlink_inside_is_followed(tmp_path):
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/passwd").write_text("app:x:5:6::/app:\n")
    (tmp_path / "etc").symlink_to("/usr/lib")
    assert find_user(tmp_path, "app").uid == 5


def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    import os

    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")
    with pytest.raises(InvalidParameter, match="not a regular file"):
        find_user(tmp_path, "web")


def test_a_file_of_a_gibibyte_is_refused_and_not_read(tmp_path):
    (tmp_path / "etc").mkdir()
    with (tmp_path / "etc/passwd").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(InvalidParameter, match="larger than 16777216 bytes"):
        find_user(tmp_path, "web")
