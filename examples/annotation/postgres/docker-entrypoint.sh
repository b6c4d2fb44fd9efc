#!/bin/bash
# Starts PostgreSQL as its own user; an empty volume gets a cluster first, made beside its place and renamed into it, so
# that a first start which is cut short leaves nothing half done.
# Read for a new cluster only: POSTGRES_USER, POSTGRES_DB, and POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE.
set -euo pipefail

say() { printf 'entrypoint: %s\n' "$*" >&2; }

make_cluster() {
    local user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}} password fresh=$PGDATA.new
    password=${POSTGRES_PASSWORD:-}
    if [[ -n "${POSTGRES_PASSWORD_FILE:-}" ]]; then
        password=$(<"$POSTGRES_PASSWORD_FILE")
    fi
    if [[ -z "$password" ]]; then
        say "a new cluster needs a password: set POSTGRES_PASSWORD_FILE (a secret's path) or POSTGRES_PASSWORD"
        exit 1
    fi
    say "making a new cluster with the user $user and the database $database"
    rm -rf "$fresh"
    initdb --pgdata="$fresh" --username="$user" --pwfile=<(printf '%s' "$password") --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 >&2
    # Whoever can reach the server may try a password; who can reach it, its networks say.
    echo 'host all all all scram-sha-256' >>"$fresh/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$fresh/postgresql.conf"
    if [[ "$database" != postgres ]]; then
        postgres --single -D "$fresh" postgres <<<"CREATE DATABASE \"${database//\"/\"\"}\"" >&2
    fi
    mv "$fresh" "$PGDATA"
}

if [[ "${1:-}" == postgres && "$(id -u)" == 0 ]]; then
    volume=$(dirname "$PGDATA")
    # A fresh volume belongs to root; an old one is left as it is. The socket's folder is new with each container.
    if [[ "$(stat -c %U "$volume")" != postgres ]]; then
        chown postgres:postgres "$volume"
    fi
    install --directory --owner=postgres --group=postgres --mode=2775 /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [[ "${1:-}" == postgres && ! -d "$PGDATA" ]]; then
    make_cluster
fi

exec "$@"
