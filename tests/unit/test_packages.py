from hivelet.packages import load_packages, missing_packages, parse_packages


def test_the_list_names_what_the_daemon_runs():
    programs = {p.program for p in load_packages() if p.group == "run"}
    assert {"conmon", "runc", "nft", "dnsmasq", "skopeo"} <= programs


def test_only_programs_that_cannot_be_found_are_missing():
    packages = parse_packages(
        "# c\nrun a-pkg a why it is\nrun b-pkg b why\nrun c-pkg - why\ntest d d why\n"
    )
    found = missing_packages(packages, "run", {"a": "/bin/a"}.get)
    assert [(p.name, p.purpose) for p in found] == [("b-pkg", "why")]
