/* The exported functions: each is one message to a Python process and its answer.
 *
 * The process is `python -m sscard.nationallib`, started by the first call with one end of a
 * socket as its standard input; it ends when the socket does. A request is a length and
 * zero-terminated strings, the function's name first; an answer is a code, a length and text.
 * Numbers are 32 bits, big-endian.
 */
#define _GNU_SOURCE
#include "sscard_national.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SSCARD_PYTHON
#define SSCARD_PYTHON "python3"
#endif

#define EXPORT __attribute__((visibility("default")))
#define LIBRARY (-5)
#define ARGUMENT (-14)

extern char **environ;

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int line = -1;     /* our end of the socket */
static pid_t server = -1; /* the process at the other end */
static pid_t owner = -1;  /* who started it: a fork of ours starts its own */

static long say(char *out, long code, const char *text)
{
    strcpy(out, text);
    return code;
}

static void hang_up(void)
{
    if (line >= 0)
        close(line);
    if (server > 0 && owner == getpid())
        while (waitpid(server, NULL, 0) < 0 && errno == EINTR)
            ;
    line = -1;
    server = -1;
}

static int start(void)
{
    const char *python = getenv("SSCARD_NATIONAL_PYTHON");
    char *words[] = {(char *)(python ? python : SSCARD_PYTHON), "-m", "sscard.nationallib", NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], failed;

    if (line >= 0 && owner == getpid())
        return 0;
    hang_up();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    failed = posix_spawnp(&server, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        server = -1;
        close(ends[0]);
        return -1;
    }
    line = ends[0];
    owner = getpid();
    return 0;
}

static int put(const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t done = send(line, at, size, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        at += done;
        size -= (size_t)done;
    }
    return 0;
}

static int get(void *data, size_t size)
{
    char *at = data;

    while (size > 0) {
        ssize_t done = recv(line, at, size, 0);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        at += done;
        size -= (size_t)done;
    }
    return 0;
}

/* Send the name and `count` strings, and take the answer into `out`. */
static long exchange(char *out, const char *const *strings, int count)
{
    uint32_t head[2], size = 0;
    int i;

    for (i = 0; i < count; i++)
        size += (uint32_t)strlen(strings[i]) + 1;
    if (start() != 0)
        return say(out, LIBRARY, "the Python process of the library does not start");
    head[0] = htonl(size);
    if (put(head, 4) != 0)
        goto broken;
    for (i = 0; i < count; i++)
        if (put(strings[i], strlen(strings[i]) + 1) != 0)
            goto broken;
    if (get(head, 8) != 0)
        goto broken;
    size = ntohl(head[1]);
    if (size >= SSCARD_NATIONAL_OUT_MAX)
        goto broken;
    if (get(out, size) != 0)
        goto broken;
    out[size] = '\0';
    return (long)(int32_t)ntohl(head[0]);

broken:
    hang_up();
    return say(out, LIBRARY, "the Python process of the library has ended");
}

#define ARGUMENTS_MAX 5

static long call(char *out, const char *name, int count, ...)
{
    const char *strings[ARGUMENTS_MAX] = {name};
    va_list given;
    long code;
    int i;

    if (out == NULL)
        return ARGUMENT;
    va_start(given, count);
    for (i = 1; i <= count; i++)
        strings[i] = va_arg(given, const char *);
    va_end(given);
    for (i = 1; i <= count; i++)
        if (strings[i] == NULL)
            return say(out, ARGUMENT, "an argument is missing");
    pthread_mutex_lock(&turn);
    code = exchange(out, strings, count + 1);
    pthread_mutex_unlock(&turn);
    return code;
}

static const char *number(char text[16], int value)
{
    snprintf(text, 16, "%d", value);
    return text;
}

/* The shapes of the functions: iType first or not, then strings, pOutInfo last. */
#define TYPE(name)                                                                                 \
    EXPORT long name(int iType, char *pOutInfo)                                                    \
    {                                                                                              \
        char type[16];                                                                             \
        return call(pOutInfo, #name, 1, number(type, iType));                                      \
    }
#define TYPE_1(name)                                                                               \
    EXPORT long name(int iType, char *first, char *pOutInfo)                                       \
    {                                                                                              \
        char type[16];                                                                             \
        return call(pOutInfo, #name, 2, number(type, iType), first);                               \
    }
#define TYPE_2(name)                                                                               \
    EXPORT long name(int iType, char *first, char *second, char *pOutInfo)                         \
    {                                                                                              \
        char type[16];                                                                             \
        return call(pOutInfo, #name, 3, number(type, iType), first, second);                       \
    }
#define KEY(name)                                                                                  \
    EXPORT long name(char *pKey, char *pOutInfo)                                                   \
    {                                                                                              \
        return call(pOutInfo, #name, 1, pKey);                                                     \
    }

TYPE(iReadCardBas)
TYPE(iReadCardBas_HSM_Step1)
KEY(iReadCardBas_HSM_Step2)
TYPE_2(iReadCard_HSM_Step1)
KEY(iReadCard_HSM_Step2)
TYPE_2(iWriteCard_HSM_Step1)
TYPE(iVerifyPIN)
TYPE(iChangePIN)
TYPE_1(iReloadPIN)
TYPE_1(iReloadPIN_HSM_Step1)
KEY(iReloadPIN_HSM_Step2)
KEY(iReloadPIN_HSM_Step3)
TYPE_1(iUnblockPIN)
TYPE_1(iUnblockPIN_HSM_Step1)
KEY(iUnblockPIN_HSM_Step2)
KEY(iUnblockPIN_HSM_Step3)
TYPE_2(iDoDebit)
TYPE_2(iDoDebit_HSM_Step1)
KEY(iDoDebit_HSM_Step2)
TYPE(iReadDebitRecord)

EXPORT long iReadCard(int iType, int iAuthType, char *pCardInfo, char *pFileAddr, char *pOutInfo)
{
    char type[16], auth[16];

    return call(pOutInfo, "iReadCard", 4, number(type, iType), number(auth, iAuthType), pCardInfo,
                pFileAddr);
}

EXPORT long iWriteCard(int iType, char *pCardInfo, char *pFileAddr, char *pWriteData,
                       char *pOutInfo)
{
    char type[16];

    return call(pOutInfo, "iWriteCard", 4, number(type, iType), pCardInfo, pFileAddr, pWriteData);
}

EXPORT long iWriteCard_HSM_Step2(char *pKey, char *pWriteData, char *pOutInfo)
{
    return call(pOutInfo, "iWriteCard_HSM_Step2", 2, pKey, pWriteData);
}

EXPORT void sscard_national_close(void)
{
    pthread_mutex_lock(&turn);
    hang_up();
    pthread_mutex_unlock(&turn);
}

__attribute__((destructor)) static void at_exit(void)
{
    hang_up();
}
