/* Calls libsscard_national.so as it is told: a line is a function and its arguments, separated by
 * tabs; the answer is a line with the code, a tab, and pOutInfo. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sscard_national.h"

#define WORDS_MAX 6

static char line[2 * SSCARD_NATIONAL_OUT_MAX];
static char out[SSCARD_NATIONAL_OUT_MAX];

#define IS(function) (strcmp(word[0], #function) == 0)
#define TYPE(function)                                                                             \
    if (IS(function))                                                                              \
        return function(atoi(word[1]), out)
#define TYPE_1(function)                                                                           \
    if (IS(function))                                                                              \
        return function(atoi(word[1]), word[2], out)
#define TYPE_2(function)                                                                           \
    if (IS(function))                                                                              \
        return function(atoi(word[1]), word[2], word[3], out)
#define KEY(function)                                                                              \
    if (IS(function))                                                                              \
        return function(word[1], out)

static long call(char **word)
{
    TYPE(iReadCardBas);
    TYPE(iReadCardBas_HSM_Step1);
    KEY(iReadCardBas_HSM_Step2);
    if (IS(iReadCard))
        return iReadCard(atoi(word[1]), atoi(word[2]), word[3], word[4], out);
    TYPE_2(iReadCard_HSM_Step1);
    KEY(iReadCard_HSM_Step2);
    if (IS(iWriteCard))
        return iWriteCard(atoi(word[1]), word[2], word[3], word[4], out);
    TYPE_2(iWriteCard_HSM_Step1);
    if (IS(iWriteCard_HSM_Step2))
        return iWriteCard_HSM_Step2(word[1], word[2], out);
    TYPE(iVerifyPIN);
    TYPE(iChangePIN);
    TYPE_1(iReloadPIN);
    TYPE_1(iReloadPIN_HSM_Step1);
    KEY(iReloadPIN_HSM_Step2);
    KEY(iReloadPIN_HSM_Step3);
    TYPE_1(iUnblockPIN);
    TYPE_1(iUnblockPIN_HSM_Step1);
    KEY(iUnblockPIN_HSM_Step2);
    KEY(iUnblockPIN_HSM_Step3);
    TYPE_2(iDoDebit);
    TYPE_2(iDoDebit_HSM_Step1);
    KEY(iDoDebit_HSM_Step2);
    TYPE(iReadDebitRecord);
    if (strcmp(word[0], "close") == 0) {
        sscard_national_close();
        out[0] = '\0';
        return 0;
    }
    if (strcmp(word[0], "null") == 0)
        return iReadCard(1, 1, NULL, word[1], out);
    fprintf(stderr, "no function %s\n", word[0]);
    exit(2);
}

int main(void)
{
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *word[WORDS_MAX] = {line}, *at = line;
        int count = 1;

        line[strcspn(line, "\n")] = '\0';
        while (count < WORDS_MAX && (at = strchr(at, '\t')) != NULL) {
            *at++ = '\0';
            word[count++] = at;
        }
        printf("%ld\t", call(word));
        printf("%s\n", out);
        fflush(stdout);
    }
    return 0;
}
