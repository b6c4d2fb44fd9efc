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
    "backup": ("hivelet backup --key /another-place/hivelet.key /backup/hivelet.tar",),
    "restore": ("hivelet restore --key /another-place/hivelet.key /backup/hivelet.tar",),
    "swarm unlock": ("hivelet swarm unlock",),
    "swarm unlock-key": ("hivelet swarm unlock-key", "hivelet swarm unlock-key --rotate"),
    "swarm update": (
        "hivelet swarm update --autolock=true",
        "hivelet swarm update --task-history-limit 2",
    ),
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
    "image inspect": ("hivelet image inspect myweb:latest",),
    "image prune": ("hivelet image prune --all --filter until=168h",),
    "network connect": ("hivelet network connect --alias db backend postgres",),
    "network disconnect": ("hivelet network disconnect backend postgres",),
    "network prune": ("hivelet network prune --force",),
    "system df": ("hivelet system df -v",),
    "system prune": ("hivelet system prune --all --volumes",),
    "run": (
        "hivelet run --rm -it alpine sh",
        "hivelet run -d --name web -p 8080:80 -v data:/data --restart unless-stopped nginx:1.27",
    ),
    "create": ("hivelet create --name web -p 8080:80 nginx:1.27",),
    "start": ("hivelet start web", "hivelet start -ai shell"),
    "attach": ("hivelet attach --detach-keys ctrl-x shell",),
    "stop": ("hivelet stop -t 30 web",),
    "restart": ("hivelet restart web",),
    "kill": ("hivelet kill -s HUP web",),
    "pause": ("hivelet pause web",),
    "unpause": ("hivelet unpause web",),
    "wait": ("hivelet wait job",),
    "rename": ("hivelet rename web old-web",),
    "update": ("hivelet update --memory 512m --cpus 1.5 web",),
    "inspect": (
        "hivelet inspect web",
        "hivelet inspect -f '{{.NetworkSettings.IPAddress}}' web",
    ),
    "top": ("hivelet top web -o pid,cmd",),
    "stats": ("hivelet stats --no-stream --format '{{.Name}} {{.MemUsage}}'",),
    "port": ("hivelet port web 80/tcp",),
    "diff": ("hivelet diff web",),
    "cp": (
        "hivelet cp web:/etc/nginx/nginx.conf .",
        "hivelet cp ./html/. web:/usr/share/nginx/html",
        "hivelet cp web:/var/log - | tar t",
    ),
    "export": ("hivelet export -o web.tar web",),
    "commit": ("hivelet commit -m 'with curl' web myweb:debug",),
    "container prune": ("hivelet container prune --filter until=24h",),
    "login": ("hivelet login -u jane --password-stdin registry.example.com <password.txt",),
    "logout": ("hivelet logout registry.example.com",),
    "images": ("hivelet images --digests",),
    "pull": ("hivelet pull registry.example.com/myweb:2",),
    "load": ("hivelet load -i myweb.tar",),
    "import": ("hivelet import rootfs.tar tiny:latest",),
    "tag": ("hivelet tag myweb:2 myweb:latest",),
    "rmi": ("hivelet rmi myweb:1",),
    "save": ("hivelet save -o myweb.tar myweb:1",),
    "history": ("hivelet history myweb:latest",),
    "ps": ("hivelet ps -a", "hivelet ps -f status=exited -f label=app=web --format '{{.Names}}'"),
    "container inspect": ("hivelet container inspect -s web",),
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


_SHORTER = {"image ls": "images", "image rm": "rmi", "container ls": "ps"}


def add_examples(command: click.Command, words: str) -> None:
    """Let `--help` of the command called `words`, and of all below it, end with its examples."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            add_examples(inner, f"{words} {name}")
        return
    # A command of two names has its examples under the shorter one.
    lines = EXAMPLES.get(_SHORTER.get(words, words)) or EXAMPLES.get(words.rpartition(" ")[2], ())
    if lines and command.epilog is None:
        title = "Examples:" if len(lines) > 1 else "Example:"
        command.epilog = "\n".join(["\b", title, *(f"  {line}" for line in lines)])
