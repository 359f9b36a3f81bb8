/* Sets a process's clock of the day forward or back, by as many seconds as the file that CLOCK_FILE names says at the time.
 *
 * Asks the kernel itself and allocates nothing, so that an allocator may ask for the time while it is being set up. C11's
 * timed waits are told in the process's time and made in the kernel's: librdkafka waits by them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static _Atomic long offset;
/* By the monotonic clock, in tenths of a second, when the file is to be read again. */
static _Atomic long again;

static long seconds_off(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    long tenths = now.tv_sec * 10 + now.tv_nsec / 100000000, due = atomic_load(&again);
    const char *name = getenv("CLOCK_FILE");
    if (tenths >= due && name && atomic_compare_exchange_strong(&again, &due, tenths + 1)) {
        int file = open(name, O_RDONLY | O_CLOEXEC);
        char text[32] = {0};
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) > 0) {
                atomic_store(&offset, strtol(text, NULL, 10));
            }
            close(file);
        }
    }
    return atomic_load(&offset);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = (int)syscall(SYS_clock_gettime, clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        at->tv_sec += seconds_off();
    }
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) {
        *at = now.tv_sec;
    }
    return now.tv_sec;
}

/* In glibc the two kinds of condition are one. */
int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    struct timespec real = *until;
    real.tv_sec -= seconds_off();
    int failed =
        pthread_cond_clockwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, CLOCK_REALTIME, &real);
    return failed == 0 ? thrd_success : failed == ETIMEDOUT ? thrd_timedout : thrd_error;
}
