/* A PKCS#11 module that hands everything on to another one, except what a test wants to go wrong.
 *
 *   FAULTY_MODULE  the module behind it
 *   FAULTY_RETURN  INDEX:CODE, a function (by its place in CK_FUNCTION_LIST) and what it returns
 *   FAULTY_FLAGS   flags that are added to those of every token
 *   FAULTY_GONE    N: from the N-th look at it on, the token is not there
 *   FAULTY_BITS    anything: one bit of each signature is flipped
 *   FAULTY_PIN     the PIN that a key pad would take
 *   FAULTY_LOG     a file that gets a line for each login
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long ulong_t;
typedef ulong_t (*any_t)(void);
typedef struct { unsigned char version[2]; any_t functions[68]; } list_t;
enum { GET_FUNCTION_LIST = 3, GET_TOKEN_INFO = 6, LOGIN = 18, SIGN = 43, FLAGS_AT = 96 };

static list_t *inner;
static list_t outer;
static ulong_t answer;

static ulong_t refuse(void) { return answer; }

static ulong_t get_token_info(ulong_t slot, unsigned char *info)
{
    static long calls;
    const char *gone = getenv("FAULTY_GONE"), *flags = getenv("FAULTY_FLAGS");
    ulong_t rv;
    if (gone && ++calls >= atol(gone))
        return 0xE0; /* CKR_TOKEN_NOT_PRESENT */
    rv = ((ulong_t (*)(ulong_t, void *))inner->functions[GET_TOKEN_INFO])(slot, info);
    if (rv == 0 && flags) {
        ulong_t all;
        memcpy(&all, info + FLAGS_AT, sizeof all);
        all |= strtoul(flags, NULL, 0);
        memcpy(info + FLAGS_AT, &all, sizeof all);
    }
    return rv;
}

static ulong_t login(ulong_t session, ulong_t user, unsigned char *pin, ulong_t length)
{
    const char *log = getenv("FAULTY_LOG"), *pad = getenv("FAULTY_PIN");
    if (log) {
        FILE *file = fopen(log, "a");
        fprintf(file, "%s\n", pin ? "PIN" : "key pad");
        fclose(file);
    }
    if (!pin && pad) {
        pin = (unsigned char *)pad;
        length = strlen(pad);
    }
    return ((ulong_t (*)(ulong_t, ulong_t, void *, ulong_t))inner->functions[LOGIN])(
        session, user, pin, length);
}

static ulong_t sign(ulong_t session, void *data, ulong_t size, unsigned char *out, ulong_t *length)
{
    ulong_t rv = ((ulong_t (*)(ulong_t, void *, ulong_t, void *, ulong_t *))inner->functions[SIGN])(
        session, data, size, out, length);
    if (rv == 0 && out && getenv("FAULTY_BITS"))
        out[*length - 1] ^= 1;
    return rv;
}

ulong_t C_GetFunctionList(list_t **list)
{
    void *library = dlopen(getenv("FAULTY_MODULE"), RTLD_NOW | RTLD_LOCAL);
    ulong_t (*get)(list_t **) = library ? (ulong_t (*)(list_t **))dlsym(library, "C_GetFunctionList") : NULL;
    const char *fault = getenv("FAULTY_RETURN");
    ulong_t rv = get ? get(&inner) : 5; /* CKR_GENERAL_ERROR */
    if (rv != 0)
        return rv;
    outer = *inner;
    outer.functions[GET_FUNCTION_LIST] = (any_t)C_GetFunctionList;
    outer.functions[GET_TOKEN_INFO] = (any_t)get_token_info;
    outer.functions[LOGIN] = (any_t)login;
    outer.functions[SIGN] = (any_t)sign;
    if (fault) {
        char *colon;
        ulong_t index = strtoul(fault, &colon, 0);
        answer = strtoul(colon + 1, NULL, 0);
        outer.functions[index] = refuse;
    }
    *list = &outer;
    return 0;
}
