/* Makes C11's timed waits go by the time that libfaketime tells, as POSIX's do under it: librdkafka waits by the
 * former, and would sleep until the real clock reached the told time. In glibc the two kinds are one. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until) {
    int failed = pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until);
    return failed == 0 ? thrd_success : failed == ETIMEDOUT ? thrd_timedout : thrd_error;
}
