/* A load generator that accounts for every request.
 *
 *     client ADDRESS[,ADDRESS...] PORT MODE CONNECTIONS RATE REQUESTS SECONDS
 *
 * Each connection goes to the next of the addresses.
 *
 * MODE  close   one connection a request, which the server closes first ("Connection: close")
 *       abrupt  one connection a request, which the client closes first
 *       keep    connections are kept; one that the server has closed before any byte of an answer came is replaced and its
 *               request sent once more, as HTTP clients do, and counted as a reconnect
 * RATE  requests a second over all connections, 0: as many as there can be.
 *
 * Ends after REQUESTS (0: no limit) or SECONDS (0: no limit), or, with neither reached, when standard input closes; with a
 * limit of requests and an open standard input it goes on until both are done. Prints one line of JSON; every failed request
 * is in it with its class and its times by CLOCK_MONOTONIC. A line on standard input is answered by the counts so far.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 1024
#define TARGETS 64
#define BUFFER 4096
#define BUCKETS 500000 /* of ten microseconds */
#define REPORTED 2000
#define SLOW 900000000LL /* a lost packet: the first retransmission of a SYN is after a second */
#define PATIENCE 5000000000LL

enum state { IDLE, CONNECTING, ASKED, ENDING };
enum class { REFUSED, RESET, TIMEOUT, CLOSED, ANSWER, PORTS, UNREACHABLE, CLASSES };
static const char *const CLASS_NAMES[] = {"refused", "reset", "timeout", "closed", "answer", "ports", "unreachable"};

struct slot {
    int fd;
    enum state state;
    int used; /* answers that came over this connection */
    int again, port;
    long long begun, ended;
    size_t got;
    char replica[64];
    char buffer[BUFFER];
};

struct failure {
    enum class class;
    int port;
    long long begun, ended;
    char replica[64];
};

static struct slot slots[SLOTS];
static struct failure reported[REPORTED], slow[REPORTED];
static long slows;
static unsigned int histogram[BUCKETS];
static struct { char name[64]; long answers; } replicas[256];
static long failures[CLASSES], begun, done, good, reconnects, failed;
static int poller, keep, abrupt;
static struct sockaddr_storage targets[TARGETS];
static int target_count;
static char request[256];
static long long slowest, last_end;

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void leave(struct slot *s) {
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
    s->used = 0;
}

static void fail(struct slot *s, enum class class) {
    long long moment = now();
    if (failed < REPORTED) {
        struct failure *f = &reported[failed];
        f->class = class;
        f->begun = s->begun;
        f->ended = moment;
        f->port = s->port;
        strcpy(f->replica, s->used ? s->replica : "");
    }
    failed++;
    failures[class]++;
    done++;
    last_end = moment;
    leave(s);
    s->state = IDLE;
}

static enum class class_of(int error) {
    switch (error) {
        case ECONNREFUSED: return REFUSED;
        case ECONNRESET: case EPIPE: case ECONNABORTED: return RESET;
        case ETIMEDOUT: return TIMEOUT;
        case EADDRNOTAVAIL: case EADDRINUSE: return PORTS;
        default: return UNREACHABLE;
    }
}

static void send_request(struct slot *s);

static void open_connection(struct slot *s) {
    static int next;
    const struct sockaddr_storage *target = &targets[next++ % target_count];
    int one = 1;
    s->fd = socket(target->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        perror("client");
        exit(1);
    }
    s->used = 0;
    s->state = CONNECTING;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s->fd, (const struct sockaddr *)target, sizeof *target) && errno != EINPROGRESS) {
        fail(s, class_of(errno));
        return;
    }
    struct sockaddr_in6 own;
    socklen_t size = sizeof own;
    /* At the same place in both families. */
    s->port = getsockname(s->fd, (struct sockaddr *)&own, &size) ? 0 : ntohs(own.sin6_port);
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = s - slots};
    epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &event);
}

/* What a connection's end means for the request on it. */
static void lost(struct slot *s, enum class class) {
    if (keep && s->used && !s->got && !s->again) {
        s->again = 1;
        reconnects++;
        leave(s);
        open_connection(s);
    } else {
        fail(s, class);
    }
}

static void send_request(struct slot *s) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = s - slots};
    size_t length = strlen(request);
    s->got = 0;
    s->state = ASKED;
    epoll_ctl(poller, EPOLL_CTL_MOD, s->fd, &event);
    if (send(s->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) lost(s, class_of(errno));
}

static void begin(struct slot *s) {
    s->begun = now();
    s->again = 0;
    s->got = 0;
    begun++;
    if (s->fd >= 0) send_request(s);
    else open_connection(s);
}

static void count_replica(const char *name) {
    for (int i = 0; i < 256; i++) {
        if (!replicas[i].name[0]) strcpy(replicas[i].name, name);
        if (!strcmp(replicas[i].name, name)) {
            replicas[i].answers++;
            return;
        }
    }
}

static void complete(struct slot *s) {
    long long took = now() - s->begun;
    long bucket = took / 10000;
    histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    if (took > slowest) slowest = took;
    if (took > SLOW && slows < REPORTED) {
        struct failure *f = &slow[slows++];
        f->begun = s->begun;
        f->ended = s->begun + took;
        f->port = s->port;
        strcpy(f->replica, s->replica);
    }
    last_end = s->begun + took;
    good++;
    done++;
    s->used++;
    s->state = IDLE;
}

/* 1: all of it is there; 0: not yet; -1: it is wrong. `*last`: the server closes after it. */
static int whole(struct slot *s, int *last) {
    s->buffer[s->got] = 0;
    char *body = strstr(s->buffer, "\r\n\r\n");
    if (body == NULL) return s->got == BUFFER - 1 ? -1 : 0;
    body += 4;
    char *length = strcasestr(s->buffer, "\r\nContent-Length: ");
    if (strncmp(s->buffer, "HTTP/1.1 200 ", 13) || length == NULL || length > body) return -1;
    long wanted = atol(length + 18), have = s->got - (body - s->buffer);
    if (have < wanted) return 0;
    if (have > wanted || sscanf(body, "%63s", s->replica) != 1) return -1;
    char *closing = strcasestr(s->buffer, "\r\nConnection: close");
    *last = closing != NULL && closing < body;
    return 1;
}

static void read_answer(struct slot *s) {
    int last = 0;
    ssize_t n = recv(s->fd, s->buffer + s->got, BUFFER - 1 - s->got, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (s->state == ENDING) {
        /* The answer is complete; the connection must end well too. */
        if (n < 0) fail(s, class_of(errno));
        else if (n > 0) fail(s, ANSWER);
        else {
            complete(s);
            leave(s);
        }
        return;
    }
    if (n < 0) {
        lost(s, class_of(errno));
        return;
    }
    if (n == 0) {
        lost(s, CLOSED);
        return;
    }
    s->got += n;
    int found = whole(s, &last);
    if (found == 0) return;
    if (found < 0) {
        fail(s, ANSWER);
        return;
    }
    count_replica(s->replica);
    if (keep && !last) {
        complete(s);
    } else if (abrupt || (keep && last)) {
        complete(s);
        leave(s);
    } else {
        s->state = ENDING;
    }
}

static void handle(struct slot *s, unsigned int events) {
    if (s->fd < 0) return;
    if (s->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) fail(s, class_of(error));
        else send_request(s);
    } else if (s->state == ASKED || s->state == ENDING) {
        read_answer(s);
    } else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        /* Closed while nothing was asked: no request is lost by that. */
        leave(s);
    }
}

static double quantile(double q) {
    long wanted = (long)(q * good), seen = 0;
    for (long i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (seen > wanted) return i * 1e-5;
    }
    return slowest * 1e-9;
}

static void print_request(const struct failure *f, int place, const char *class) {
    printf("%s{\"class\": \"%s\", \"begun\": %.6f, \"ended\": %.6f, \"port\": %d, \"replica\": \"%s\"}", place ? ", " : "", class,
           f->begun * 1e-9, f->ended * 1e-9, f->port, f->replica);
}

static void report(long long start) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    printf("{\"cpu\": %.6f, ", cpu);
    printf("\"begun\": %ld, \"good\": %ld, \"failed\": %ld, \"reconnects\": %ld, \"seconds\": %.6f, ", begun, good, failed,
           reconnects, (last_end - start) * 1e-9);
    printf("\"p50\": %.6f, \"p99\": %.6f, \"slowest\": %.6f, \"classes\": {", quantile(0.5), quantile(0.99), slowest * 1e-9);
    const char *comma = "";
    for (int i = 0; i < CLASSES; i++)
        if (failures[i]) {
            printf("%s\"%s\": %ld", comma, CLASS_NAMES[i], failures[i]);
            comma = ", ";
        }
    printf("}, \"replicas\": {");
    comma = "";
    for (int i = 0; i < 256 && replicas[i].name[0]; i++) {
        printf("%s\"%s\": %ld", comma, replicas[i].name, replicas[i].answers);
        comma = ", ";
    }
    printf("}, \"failures\": [");
    for (int i = 0; i < failed && i < REPORTED; i++) print_request(&reported[i], i, CLASS_NAMES[reported[i].class]);
    printf("], \"slow\": [");
    for (int i = 0; i < slows; i++) print_request(&slow[i], i, "slow");
    printf("]}\n");
    fflush(stdout);
}

static int read_target(struct sockaddr_storage *target, const char *word, int port) {
    struct sockaddr_in *four = (struct sockaddr_in *)target;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)target;
    if (inet_pton(AF_INET, word, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        return 1;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    return inet_pton(AF_INET6, word, &six->sin6_addr) == 1;
}

int main(int argc, char **argv) {
    if (argc != 8) return 2;
    for (char *word = strtok(argv[1], ","); word; word = strtok(NULL, ","))
        if (target_count == TARGETS || !read_target(&targets[target_count++], word, atoi(argv[2]))) return 2;
    if (!target_count) return 2;
    keep = !strcmp(argv[3], "keep");
    abrupt = !strcmp(argv[3], "abrupt");
    int number = atoi(argv[4]), open_input = 1;
    double rate = atof(argv[5]), seconds = atof(argv[7]);
    long limit = atol(argv[6]);
    if (number < 1 || number > SLOTS) return 2;
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: web\r\n%s\r\n", keep || abrupt ? "" : "Connection: close\r\n");
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = SLOTS}, ready[SLOTS + 1];
    /* A file or /dev/null cannot be polled: then the limits alone decide. */
    if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event)) open_input = 0;
    for (int i = 0; i < number; i++) slots[i].fd = -1;
    long long start = now(), end = seconds > 0 ? start + (long long)(seconds * 1e9) : 0, looked = start;
    last_end = start;
    for (;;) {
        long long moment = now();
        int enough = limit ? begun >= limit && !(open_input && !end) : !open_input && !end;
        if (end && (moment >= end || (limit && begun >= limit))) enough = 1;
        long due = rate > 0 ? (long)((moment - start) * 1e-9 * rate) + 1 : 0;
        int idle = 0;
        for (int i = 0; i < number; i++) {
            if (slots[i].state != IDLE) continue;
            if (!enough && (rate <= 0 || begun < due) && !(limit && !open_input && begun >= limit)) begin(&slots[i]);
            if (slots[i].state == IDLE) idle++;
        }
        if (enough && idle == number) break;
        int pause = enough || rate <= 0 ? 100 : 1;
        int count = epoll_wait(poller, ready, SLOTS + 1, idle == number && rate <= 0 && !enough ? 0 : pause);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.u32 == SLOTS) {
                char line[64];
                if (read(0, line, sizeof line) > 0) report(start);
                else {
                    open_input = 0;
                    epoll_ctl(poller, EPOLL_CTL_DEL, 0, NULL);
                }
            } else {
                handle(&slots[ready[i].data.u32], ready[i].events);
            }
        }
        moment = now();
        if (moment - looked > 100000000LL) {
            looked = moment;
            for (int i = 0; i < number; i++)
                if (slots[i].state != IDLE && moment - slots[i].begun > PATIENCE) fail(&slots[i], TIMEOUT);
        }
    }
    report(start);
    return 0;
}
