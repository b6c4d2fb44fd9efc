# Sourced by ./quickstart and ./test, from the top of the checkout: installs what is missing and nothing else.
# Sets VENV. Needs root only where a Debian package is missing.

VENV=${HIVELET_VENV:-$PWD/.venv}

# install_packages GROUP…: the Debian packages of these groups in src/hivelet/packages.txt.
install_packages() {
  local group missing=() package
  for group in "$@"; do
    while read -r package; do
      dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done < <(awk -v group="$group" '$1 == group { print $2 }' src/hivelet/packages.txt)
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "These Debian packages are missing, and installing them needs root: ${missing[*]}" >&2
    return 1
  fi
  echo "installing ${missing[*]}"
  apt-get update -qq
  # Services must not start themselves: a second dnsmasq or a Docker daemon on the host is not what was asked for.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=1
  fi
  local status=0
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || status=$?
  [ -z "$made" ] || rm -f "$policy"
  # Nor at the next boot: a firewall for tests must not become this machine's.
  if [[ " ${missing[*]} " == *" firewalld "* ]] && command -v systemctl >/dev/null; then
    systemctl disable -q firewalld.service 2>/dev/null || true
  fi
  return "$status"
}

# find_python: the newest Python ≥ 3.11 that can make an environment.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

# install_python WHAT: hivelet from this checkout into $VENV, editable; again only when pyproject.toml has changed.
install_python() {
  local python stamp
  stamp=$(sha256sum pyproject.toml | cut -c1-16)-$(printf '%s' "$1" | tr -dc 'a-z')
  if [ ! -e "$VENV/.hivelet-$stamp" ]; then
    python=$(find_python) || { install_packages image && python=$(find_python); } || {
      echo "Python 3.11 or newer with the venv module is needed: apt-get install python3-venv" >&2
      return 1
    }
    echo "installing hivelet and its Python packages into $VENV"
    [ -x "$VENV/bin/python" ] || { "$python" -m venv "$VENV" && touch "$VENV/.made-by-hivelet"; }
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check -e "$1"
    touch "$VENV/.hivelet-$stamp"
  fi
}
