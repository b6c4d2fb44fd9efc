/* Preloaded into one program: its wall clock is put, its disk is slow, and it gets no watch of inotify, as a shared file says that
   others write.

   The file (named by HARNESS_FAULTS) holds three 64-bit integers: seconds to add to the wall clock, milliseconds that every
   flush to the disk takes longer, and whether watches are used up. The steady clocks are not touched, as nobody can put them. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *settings;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("HARNESS_FAULTS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, 24, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        settings = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (status == 0 && clock == CLOCK_REALTIME && settings)
        now->tv_sec += settings[0];
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

static void dawdle(void) {
    if (settings && settings[1] > 0)
        usleep((useconds_t)(settings[1] * 1000));
}

int fsync(int file) {
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    dawdle();
    return real(file);
}

int fdatasync(int file) {
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    dawdle();
    return real(file);
}

int inotify_add_watch(int instance, const char *path, uint32_t mask) {
    static int (*real)(int, const char *, uint32_t);
    if (!real)
        real = (int (*)(int, const char *, uint32_t))dlsym(RTLD_NEXT, "inotify_add_watch");
    if (settings && settings[2]) {
        errno = ENOSPC;
        return -1;
    }
    return real(instance, path, mask);
}
