/* Between a process and the C library (LD_PRELOAD): records what is done to the files below SHIM_ROOT, in SHIM_LOG,
 * and makes one call fail or stall. `shim.py` compiles it, and reads the record.
 *
 * A record is a header and `size` bytes. It is written after the call it tells of, so that a sync covers at least
 * the writes recorded before it began. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS 4096
#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

enum { OPEN, WRITE, PWRITE, FSYNC, FDATASYNC, SEND, ALLOCATE, CALLS };
static const char *const call_names[CALLS] = {"open", "write", "pwrite", "fsync", "fdatasync", "send", "allocate"};

struct header { char op; uint8_t pad[3]; uint32_t size; uint64_t inode, number; } __attribute__((packed));

static char watched[DESCRIPTORS], untold_error[DESCRIPTORS];
static int log_fd = -1;
static char root[PATH_MAX];
static size_t root_size;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- one call that fails or stalls --- */

static long counts[CALLS];
static int struck_call = -1, strike_errno;
static long strike_at;
static volatile double struck_mono, released_mono;
static __thread int spared;
static volatile int all_spared;

static double mono(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Count from now on; the `nth` call of `name` fails with `error`, or takes a second when that is 0. */
void shim_arm(const char *name, long nth, int error) {
    struck_call = -1;
    for (int call = 0; call < CALLS; call++) {
        counts[call] = 0;
        if (!strcmp(name, call_names[call])) struck_call = call;
    }
    strike_at = nth, strike_errno = error;
    struck_mono = released_mono = 0;
}

long shim_count(const char *name) {
    for (int call = 0; call < CALLS; call++)
        if (!strcmp(name, call_names[call])) return counts[call];
    return -1;
}

/* The thread that calls this is not struck: it stands for people, not for the gate. */
void shim_spare(void) { spared = 1; }

/* Nor is any, until this is taken back: while such a thread begins. */
void shim_spare_all(int on) { all_spared = on; }

double shim_struck_mono(void) { return struck_mono; }
double shim_released_mono(void) { return released_mono; }

static int strikes(int call) {
    if (spared || all_spared) return 0;
    long nth = __atomic_add_fetch(&counts[call], 1, __ATOMIC_SEQ_CST);
    if (call != struck_call || nth != strike_at) return 0;
    struck_mono = mono();
    if (!strike_errno) nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    released_mono = mono();
    errno = strike_errno;
    return strike_errno != 0;
}

/* --- allocations: everything that Python's own small blocks are too small for, and the arenas of those blocks --- */

#define BUFFER_BYTES 513

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

static int allocation_fails(size_t size) { return struck_call == ALLOCATE && size >= BUFFER_BYTES && strikes(ALLOCATE); }

void *malloc(size_t size) { return allocation_fails(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return allocation_fails(count * size) ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return allocation_fails(size) ? NULL : __libc_realloc(old, size); }

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset) {
    REAL(void *, "mmap64", void *, size_t, int, int, int, off64_t);
    if ((flags & MAP_ANONYMOUS) && allocation_fails(size)) return MAP_FAILED;
    return real(at, size, protection, flags, fd, offset);
}
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    return mmap64(at, size, protection, flags, fd, offset);
}

/* --- the record --- */

static ssize_t plain_write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, data, size);
}

static void note(char op, uint64_t inode, uint64_t number, const void *data, size_t size) {
    if (log_fd < 0) return;
    int kept = errno;
    struct header header = {.op = op, .size = (uint32_t)size, .inode = inode, .number = number};
    pthread_mutex_lock(&log_lock);
    if (plain_write(log_fd, &header, sizeof header) != sizeof header
        || plain_write(log_fd, data, size) != (ssize_t)size) abort();
    pthread_mutex_unlock(&log_lock);
    errno = kept;
}

/* What the process itself has to say at this point of the record. */
void shim_mark(const char *text) { note('K', 0, 0, text, strlen(text)); }

/* Record what is done below `path` from now on (in `log`, unless that is NULL). */
void shim_watch(const char *path, const char *log) {
    REAL(int, "open", const char *, int, ...);
    root_size = (size_t)snprintf(root, sizeof root, "%s", path);
    if (log) log_fd = real(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

__attribute__((constructor)) static void begin(void) {
    if (getenv("SHIM_ROOT")) shim_watch(getenv("SHIM_ROOT"), getenv("SHIM_LOG"));
}

static int is_watched(int fd) { return fd >= 0 && fd < DESCRIPTORS && watched[fd]; }

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : found.st_ino;
}

/* The absolute path that `name` means, and whether it lies below the root. */
static int resolve(int dir, const char *name, char path[PATH_MAX]) {
    char link[64];
    size_t size = 0;
    if (!root_size) return 0;
    if (name[0] != '/') {
        if (dir == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t got = readlink(link, path, PATH_MAX - 1);
        if (got < 0) return 0;
        size = (size_t)got;
        path[size++] = '/';
    }
    snprintf(path + size, PATH_MAX - size, "%s", name);
    return !strncmp(path, root, root_size) && (path[root_size] == '/' || !path[root_size]);
}

static void note_paths(char op, int old_dir, const char *old, int dir, const char *name) {
    char both[2 * PATH_MAX], path[PATH_MAX];
    if (!resolve(dir, name, path)) return;
    size_t size = 0;
    if (op == 'Y') size = (size_t)snprintf(both, PATH_MAX, "%s", old) + 1;
    else if (old) {
        if (!resolve(old_dir, old, both)) return;
        size = strlen(both) + 1;
    }
    memcpy(both + size, path, strlen(path));
    note(op, 0, 0, both, size + strlen(path));
}

/* --- calls that take a descriptor --- */

static void note_write(int fd, const void *data, ssize_t size, off_t at) {
    if (size > 0) note('W', inode_of(fd), (uint64_t)at, data, (size_t)size);
}

ssize_t write(int fd, const void *data, size_t size) {
    if (!is_watched(fd)) return plain_write(fd, data, size);
    if (strikes(WRITE)) return -1;
    ssize_t done = plain_write(fd, data, size);
    if (done > 0) note_write(fd, data, done, lseek(fd, 0, SEEK_CUR) - done);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    if (is_watched(fd) && strikes(PWRITE)) return -1;
    ssize_t done = real(fd, data, size, at);
    if (is_watched(fd)) note_write(fd, data, done, at);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

int ftruncate64(int fd, off_t size) {
    REAL(int, "ftruncate64", int, off_t);
    int failed = real(fd, size);
    if (!failed && is_watched(fd)) note('T', inode_of(fd), (uint64_t)size, "", 0);
    return failed;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* Linux tells each descriptor that was open of a write-back error, once (errseq_t): so does a strike. */
static void tell_others(int fd) {
    uint64_t inode = inode_of(fd);
    for (int other = 0; other < DESCRIPTORS; other++)
        if (other != fd && watched[other] && inode_of(other) == inode) untold_error[other] = 1;
}

static int sync_fails(int fd, int call) {
    if (untold_error[fd]) {
        untold_error[fd] = 0;
        errno = EIO;
        return 1;
    }
    if (!strikes(call)) return 0;
    tell_others(fd);
    return 1;
}

static int synced(int fd, int call, int (*real)(int)) {
    static uint64_t last_number;
    if (!is_watched(fd)) return real(fd);
    uint64_t number = __atomic_add_fetch(&last_number, 1, __ATOMIC_SEQ_CST);
    note('S', inode_of(fd), number, "", 0);
    int failed = sync_fails(fd, call) ? -1 : real(fd);
    note(failed ? 'X' : 'E', inode_of(fd), number, "", 0);
    return failed;
}
int fsync(int fd) {
    REAL(int, "fsync", int);
    return synced(fd, FSYNC, real);
}
int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return synced(fd, FDATASYNC, real);
}

int close(int fd) {
    REAL(int, "close", int);
    if (fd >= 0 && fd < DESCRIPTORS) watched[fd] = untold_error[fd] = 0;
    return real(fd);
}

/* Python's shutil falls back to reading and writing, which are recorded. */
ssize_t sendfile64(int out, int in, off_t *at, size_t size) { (void)out, (void)in, (void)at, (void)size; errno = ENOSYS; return -1; }
ssize_t sendfile(int out, int in, off_t *at, size_t size) { return sendfile64(out, in, at, size); }

static int is_network(int fd) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    return !getsockname(fd, (struct sockaddr *)&address, &size) && address.ss_family != AF_UNIX;
}
ssize_t send(int fd, const void *data, size_t size, int flags) {
    REAL(ssize_t, "send", int, const void *, size_t, int);
    if (root_size && is_network(fd) && strikes(SEND)) return -1;
    return real(fd, data, size, flags);
}

/* --- calls that take a path --- */

static int opened(int dir, const char *name, int flags, mode_t mode) {
    REAL(int, "openat", int, const char *, int, ...);
    char path[PATH_MAX];
    if (!resolve(dir, name, path)) return real(dir, name, flags, mode);
    if (strikes(OPEN)) return -1;
    struct stat before;
    int was_there = !lstat(path, &before);
    int fd = real(dir, name, flags, mode);
    if (fd < 0) return fd;
    if (fd < DESCRIPTORS) watched[fd] = 1;
    note(was_there ? 'O' : 'C', inode_of(fd), 0, path, strlen(path));
    if (was_there && (flags & O_TRUNC)) note('T', inode_of(fd), 0, "", 0);
    return fd;
}

#define MODE mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int openat(int dir, const char *name, int flags, ...) { MODE return opened(dir, name, flags, mode); }
int openat64(int dir, const char *name, int flags, ...) { MODE return opened(dir, name, flags, mode); }

int renameat(int old_dir, const char *old, int dir, const char *name) {
    REAL(int, "renameat", int, const char *, int, const char *);
    int failed = real(old_dir, old, dir, name);
    if (!failed) note_paths('R', old_dir, old, dir, name);
    return failed;
}
int rename(const char *old, const char *name) { return renameat(AT_FDCWD, old, AT_FDCWD, name); }

int linkat(int old_dir, const char *old, int dir, const char *name, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    int failed = real(old_dir, old, dir, name, flags);
    if (!failed) note_paths('L', old_dir, old, dir, name);
    return failed;
}
int link(const char *old, const char *name) { return linkat(AT_FDCWD, old, AT_FDCWD, name, 0); }

int symlinkat(const char *target, int dir, const char *name) {
    REAL(int, "symlinkat", const char *, int, const char *);
    int failed = real(target, dir, name);
    if (!failed) note_paths('Y', AT_FDCWD, target, dir, name);
    return failed;
}
int symlink(const char *target, const char *name) { return symlinkat(target, AT_FDCWD, name); }

int unlinkat(int dir, const char *name, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    char path[PATH_MAX];
    int inside = resolve(dir, name, path), failed = real(dir, name, flags);
    if (!failed && inside) note('U', 0, 0, path, strlen(path));
    return failed;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int dir, const char *name, mode_t mode) {
    REAL(int, "mkdirat", int, const char *, mode_t);
    int failed = real(dir, name, mode);
    if (!failed) note_paths('M', AT_FDCWD, NULL, dir, name);
    return failed;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
