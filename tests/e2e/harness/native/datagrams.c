/* A server that answers each datagram with the host's name.
 *
 *     datagrams PORT [MILLISECONDS [MILLISECONDS]]     it takes so long to start, and to answer
 *
 * Datagrams of both families; it ends at once on SIGTERM, as process 1 too.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void leave(int number) {
    (void)number;
    _exit(0);
}

int main(int count, char **words) {
    struct sockaddr_in6 here = {.sin6_family = AF_INET6}, peer;
    char name[256] = "", data[2048];
    int door, off = 0, delay = count > 3 ? 1000 * atoi(words[3]) : 0;
    if (count < 2) return 2;
    signal(SIGTERM, leave);
    signal(SIGCHLD, SIG_IGN);
    if (count > 2) usleep(1000 * atoi(words[2]));
    gethostname(name, sizeof name - 1);
    here.sin6_port = htons(atoi(words[1]));
    door = socket(AF_INET6, SOCK_DGRAM, 0);
    if (setsockopt(door, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) || bind(door, (void *)&here, sizeof here)) {
        perror("datagrams");
        return 1;
    }
    for (;;) {
        socklen_t size = sizeof peer;
        if (recvfrom(door, data, sizeof data, 0, (void *)&peer, &size) < 0) continue;
        if (delay && fork()) continue;
        usleep(delay);
        sendto(door, name, strlen(name), 0, (void *)&peer, size);
        if (delay) return 0;
    }
}
