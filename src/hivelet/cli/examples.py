"""Command lines that show what a command is for, by the command's words: printed by `--help`, in the man pages and in the docs.

Each is run by nobody but parsed by a test, so none has an option that is gone; a command without one fails a test too.
"""

from __future__ import annotations

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "swarm init": ("hivelet swarm init --advertise-addr 192.0.2.10",),
    "swarm join": ("hivelet swarm join --token SWMTKN-1-… 192.0.2.10:2377",),
    "swarm join-token": ("hivelet swarm join-token -q worker",),
    "swarm leave": ("hivelet swarm leave --force",),
    "node ls": ("hivelet node ls",),
    "node inspect": ("hivelet node inspect --pretty self",),
    "node ps": ("hivelet node ps self",),
    "node update": ("hivelet node update --label-add disk=ssd self",),
    "node promote": ("hivelet node promote worker1",),
    "node demote": ("hivelet node demote worker1",),
    "node rm": ("hivelet node rm worker1",),
    "stack plan": ("hivelet stack plan --prune -c docker-compose.yml myapp",),
    "stack logs": ("hivelet stack logs --follow --tail 20 myapp",),
    "stack why": ("hivelet stack why myapp_web",),
    "stack top": ("hivelet stack top --sort cpu myapp",),
    "stack deploy": (
        "hivelet stack deploy -c docker-compose.yml -c production.yml --prune myapp",
        "hivelet --context production stack deploy -c docker-compose.yml myapp",
    ),
    "stack build": ("hivelet stack build -c docker-compose.yml myapp web",),
    "stack config": ("hivelet stack config -c docker-compose.yml",),
    "stack ls": ("hivelet stack ls",),
    "stack services": ("hivelet stack services myapp",),
    "stack ps": ("hivelet stack ps --no-trunc myapp",),
    "stack rm": ("hivelet stack rm myapp",),
    "service create": (
        "hivelet service create --name web --replicas 3 -p 8000:80 nginx:1.27",
        "hivelet service create --name tick --mode global alpine sleep 1000",
    ),
    "service update": (
        "hivelet service update --image myweb:2 --update-order start-first myapp_web",
        "hivelet service update --env-add DEBUG=1 --limit-memory 256M myapp_web",
    ),
    "service rollback": ("hivelet service rollback myapp_web",),
    "service scale": ("hivelet service scale myapp_web=5 myapp_worker=2",),
    "service ls": (
        "hivelet service ls --format '{{.Name}} {{.Replicas}}'",
        "hivelet -H ssh://root@192.0.2.10 service ls",
    ),
    "service ps": ("hivelet service ps --no-trunc -f desired-state=running myapp_web",),
    "service inspect": ("hivelet service inspect --pretty myapp_web",),
    "service logs": ("hivelet service logs -f --tail 100 myapp_web",),
    "service why": ("hivelet service why myapp_web",),
    "service rm": ("hivelet service rm myapp_web",),
    "service exec": (
        "hivelet service exec web.2 -- python manage.py shell",
        "hivelet service exec -it myapp_web sh",
    ),
    "service restart": ("hivelet service restart myapp_web",),
    "network create": ("hivelet network create -d overlay --subnet 10.20.0.0/24 backend",),
    "network ls": (
        "hivelet network ls -f driver=overlay",
        "hivelet network ls --format 'table {{.Name}}\\t{{.Driver}}'",
    ),
    "network inspect": ("hivelet network inspect -v backend",),
    "network rm": ("hivelet network rm backend",),
    "volume create": ("hivelet volume create --label keep=yes database",),
    "volume ls": ("hivelet volume ls -f label=keep=yes",),
    "volume inspect": ("hivelet volume inspect database",),
    "volume rm": ("hivelet volume rm database",),
    "volume prune": ("hivelet volume prune --all",),
    "secret create": ("hivelet secret create db_password ./password.txt",),
    "secret ls": ("hivelet secret ls",),
    "secret inspect": ("hivelet secret inspect db_password",),
    "secret rm": ("hivelet secret rm db_password",),
    "config create": ("hivelet config create nginx_conf ./nginx.conf",),
    "config ls": ("hivelet config ls",),
    "config inspect": ("hivelet config inspect nginx_conf",),
    "config rm": ("hivelet config rm nginx_conf",),
    "build": (
        "hivelet build -t myweb:2 --build-arg VERSION=2 .",
        "hivelet build -t myweb:2 -f docker/Dockerfile --target production .",
    ),
    "push": ("hivelet push registry.example.com/myweb:2",),
    "image ls": ("hivelet image ls --digests",),
    "image import": ('hivelet image import -c \'CMD ["httpd", "-f"]\' rootfs.tar tiny:latest',),
    "image load": ("hivelet image load -i myweb.tar",),
    "image pull": ("hivelet image pull registry.example.com/myweb:2",),
    "image tag": ("hivelet image tag myweb:2 myweb:latest",),
    "image inspect": ("hivelet image inspect myweb:latest",),
    "image rm": ("hivelet image rm myweb:1",),
    "ps": ("hivelet ps -a",),
    "logs": ("hivelet logs --since 10m 4f1c2a",),
    "exec": ("hivelet exec -it 4f1c2a sh",),
    "rm": ("hivelet rm -f 4f1c2a",),
    "info": ("hivelet info",),
    "version": ("hivelet version --format '{{.Server.Version}}'",),
    "events": ("hivelet events --since 10m -f type=container",),
    "system dial-stdio": ("hivelet -H ssh://root@192.0.2.10 service ls",),
    "doctor": ("hivelet doctor",),
    "daemon": ("hivelet daemon --log-level debug",),
    "man": ("hivelet man /usr/local/share/man",),
    "completion": ("hivelet completion bash",),
}


def add_examples(command: click.Command, words: str) -> None:
    """Let `--help` of the command called `words`, and of all below it, end with its examples."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            add_examples(inner, f"{words} {name}")
        return
    # A command of two names has its examples under one of them.
    lines = EXAMPLES.get(words) or EXAMPLES.get(words.rpartition(" ")[2], ())
    if lines and command.epilog is None:
        title = "Examples:" if len(lines) > 1 else "Example:"
        command.epilog = "\n".join(["\b", title, *(f"  {line}" for line in lines)])
