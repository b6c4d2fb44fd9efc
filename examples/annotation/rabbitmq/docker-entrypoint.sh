#!/bin/bash
# Starts RabbitMQ as its own user, whatever the image's user is, and passes SIGTERM on by `exec`.
# Understands RABBITMQ_DEFAULT_USER, _PASS and _VHOST, as the official image does.
set -euo pipefail

if [[ "${1:-}" == rabbitmq* && "$(id -u)" == 0 ]]; then
    # A fresh volume belongs to root; an old one is left as it is.
    if [[ "$(stat -c %U "$HOME")" != rabbitmq ]]; then
        chown rabbitmq:rabbitmq "$HOME"
    fi
    exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups "$0" "$@"
fi

if [[ "${1:-}" == rabbitmq-server ]]; then
    # Erlang and epmd size tables by the limit on open files: with the million that container engines hand down
    # that is much memory for nothing.
    open_files=$(ulimit -n)
    if [[ "$open_files" == unlimited || "$open_files" -gt 65536 ]]; then
        ulimit -n 65536
    fi
    # The node's own settings come last: they win over those in conf.d.
    settings=/var/lib/rabbitmq/.from-environment.conf
    : > "$settings"
    for name in user pass vhost; do
        variable="RABBITMQ_DEFAULT_${name^^}"
        if [[ -n "${!variable:-}" ]]; then
            printf 'default_%s = %s\n' "$name" "${!variable}" >> "$settings"
        fi
    done
fi

exec "$@"
