/* A small HTTP/1.1 server that ends as a good one does: on SIGTERM it accepts what already waits, closes connections that
 * are idle, finishes requests in hand with "Connection: close", and leaves when the last connection has gone.
 *
 *     server PORT [MILLISECONDS]        each answer is delayed by so much
 *
 * An answer's body is the host's name and the client's address. One thread, epoll, no allocation after the start.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 16384
#define REQUEST 2048

struct connection {
    int used;
    int close_after;
    size_t got;
    long long due; /* when the answer shall be sent; 0: no request in hand */
    char peer[64];
    char buffer[REQUEST];
};

static struct connection *connections; /* by file descriptor */
static char name[256];
static int poller, listener, leaving, held, waiting;
static long long delay;

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void drop(int fd) {
    if (connections[fd].due) waiting--;
    connections[fd].used = 0;
    connections[fd].due = 0;
    held--;
    close(fd);
}

static void answer(int fd) {
    struct connection *c = &connections[fd];
    char body[512], text[1024];
    int last = c->close_after || leaving;
    int length = snprintf(body, sizeof body, "%s %s\n", name, c->peer);
    int all = snprintf(text, sizeof text,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n%s", length,
                       last ? "Connection: close\r\n" : "", body);
    if (c->due) waiting--;
    c->due = 0;
    c->got = 0;
    if (send(fd, text, all, MSG_NOSIGNAL) != all || last) drop(fd);
}

static void read_request(int fd) {
    struct connection *c = &connections[fd];
    ssize_t n = recv(fd, c->buffer + c->got, sizeof c->buffer - 1 - c->got, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        drop(fd);
        return;
    }
    c->got += n;
    c->buffer[c->got] = 0;
    if (strstr(c->buffer, "\r\n\r\n") == NULL) {
        if (c->got == sizeof c->buffer - 1) drop(fd);
        return;
    }
    c->close_after = strcasestr(c->buffer, "\r\nConnection: close") != NULL || strstr(c->buffer, " HTTP/1.0\r\n") != NULL;
    if (!delay) {
        answer(fd);
    } else if (!c->due) {
        c->due = now() + delay;
        waiting++;
    }
}

static void greet(void) {
    for (;;) {
        struct sockaddr_in6 peer;
        socklen_t size = sizeof peer;
        int one = 1;
        int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (fd >= CONNECTIONS) {
            close(fd);
            continue;
        }
        struct connection *c = &connections[fd];
        c->used = 1;
        c->got = 0;
        c->due = 0;
        held++;
        inet_ntop(AF_INET6, &peer.sin6_addr, c->peer, sizeof c->peer);
        if (!strncmp(c->peer, "::ffff:", 7)) memmove(c->peer, c->peer + 7, strlen(c->peer + 7) + 1);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        /* Under load the request is there already. */
        read_request(fd);
    }
}

static void leave(void) {
    leaving = 1;
    greet();
    close(listener);
    listener = -1;
    for (int fd = 0; fd < CONNECTIONS; fd++)
        if (connections[fd].used && !connections[fd].due && !connections[fd].got) drop(fd);
}

static int answer_due(void) {
    if (!waiting) return -1;
    long long moment = now(), next = moment + 1000000000LL;
    for (int fd = 0; fd < CONNECTIONS; fd++) {
        if (!connections[fd].used || !connections[fd].due) continue;
        if (connections[fd].due <= moment) answer(fd);
        else if (connections[fd].due < next) next = connections[fd].due;
    }
    return (int)((next - moment) / 1000000) + 1;
}

int main(int argc, char **argv) {
    int port = argc > 1 ? atoi(argv[1]) : 8000, one = 1, none = 0;
    delay = argc > 2 ? atoll(argv[2]) * 1000000LL : 0;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
    sigset_t signals;
    gethostname(name, sizeof name - 1);
    connections = calloc(CONNECTIONS, sizeof *connections);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int told = signalfd(-1, &signals, SFD_CLOEXEC);
    listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &none, sizeof none);
    if (connections == NULL || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("server");
        return 1;
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = told;
    epoll_ctl(poller, EPOLL_CTL_ADD, told, &event);
    while (!leaving || held) {
        int number = epoll_wait(poller, ready, 256, answer_due());
        for (int i = 0; i < number; i++) {
            int fd = ready[i].data.fd;
            if (fd == told) {
                struct signalfd_siginfo info;
                if (read(told, &info, sizeof info) == sizeof info && !leaving) leave();
            } else if (fd == listener) {
                greet();
            } else if (fd < CONNECTIONS && connections[fd].used) {
                read_request(fd);
            }
        }
    }
    return 0;
}
