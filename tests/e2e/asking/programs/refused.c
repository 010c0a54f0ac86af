// What a process that may not trace gets of others: a system call that cannot be read, and no memory.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

static int ends(const char *path, const char *with) {
    size_t length = strlen(path), tail = strlen(with);
    return !strncmp(path, "/proc/", 6) && length > tail && !strcmp(path + length - tail, with);
}

static int opened(const char *name, const char *path, int flags, int mode) {
    int (*real)(const char *, int, int) = (int (*)(const char *, int, int))dlsym(RTLD_NEXT, name);
    if (ends(path, "/mem")) {
        errno = EACCES;
        return -1;
    }
    // It can be opened, and reading it fails.
    return real(ends(path, "/syscall") ? "/proc/self/mem" : path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return opened("open", path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return opened("open64", path, flags, mode);
}
