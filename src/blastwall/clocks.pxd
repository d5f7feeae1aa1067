cdef extern from *:
    """
    #include <time.h>

    static CYTHON_INLINE double bw_clock(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    }
    #define bw_wall() bw_clock(CLOCK_REALTIME)
    #define bw_monotonic() bw_clock(CLOCK_MONOTONIC)
    """
    double wall "bw_wall"() noexcept
    double monotonic "bw_monotonic"() noexcept
