// Runs a shell that may not trace others, as everybody but a parent where Yama says so.
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words) {
    (void)count;
    setenv("LD_PRELOAD", "/mnt/refused.so", 1);
    execv("/mnt/sh", words);
    return 127;
}
