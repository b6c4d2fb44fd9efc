#!/bin/bash
# Starts RabbitMQ as its own user, with a data folder it may write to and no more open files than it can use.
# RABBITMQ_DEFAULT_USER, _PASS and _VHOST are read by the server itself.
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
fi

exec "$@"
