/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor's check of Postfix. Its defaults stop mail while a milter is away, and
 * wait minutes for one that hangs. What is in force is asked of postconf, which
 * knows all of Postfix's ways to say it; a milter's own parameters in braces go
 * before the general ones. Where the configuration has a milter only that one
 * is looked at, else all that Postfix asks.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/units.h"
#include "cli/doctor.h"

#define MOST_OUTPUT ((size_t)1 << 20)
#define LONG_MS 30000 /* a time that senders' servers notice */

/* ---- what postconf says ---- */

static pid_t start_postconf(const char *postconf, int output)
{
    char *const arguments[] = {(char *)(uintptr_t)postconf,
                               "-x",
                               "smtpd_milters",
                               "non_smtpd_milters",
                               "milter_default_action",
                               "milter_connect_timeout",
                               "milter_command_timeout",
                               "milter_content_timeout",
                               NULL};
    posix_spawn_file_actions_t actions;
    pid_t process = -1;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return -1;
    }
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                           O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                           O_WRONLY, 0);
    if (posix_spawn(&process, postconf, &actions, NULL, arguments, environ) !=
        0) {
        process = -1;
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return process;
}

static void read_all(int input, struct nd_buffer *text)
{
    ssize_t got;
    do {
        uint8_t *room = nd_buffer_reserve(text, 4096);
        got = read(input, room, 4096);
        text->length += got > 0 ? (size_t)got : 0;
    } while ((got > 0 || (got < 0 && errno == EINTR)) &&
             text->length < MOST_OUTPUT);
    nd_buffer_append_text(text, "");
}

/* Lines "name = value"; false where there is no Postfix to ask. */
static bool ask_postconf(const char *postconf, struct nd_buffer *text)
{
    int ends[2], how = 0;
    if (access(postconf, X_OK) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    pid_t process = start_postconf(postconf, ends[1]);
    (void)close(ends[1]);
    if (process > 0) {
        read_all(ends[0], text);
    }
    (void)close(ends[0]);
    return process > 0 && waitpid(process, &how, 0) == process && how == 0;
}

/* The value of a parameter, on its line of text; a copy, "" without one. */
static char *value_of(const char *text, const char *name)
{
    size_t length = strlen(name);
    while (text != NULL && *text != '\0') {
        if (strncmp(text, name, length) == 0 &&
            strncmp(text + length, " =", 2) == 0) {
            text += length + 2;
            text += strspn(text, " \t");
            return nd_strndup(text, strcspn(text, "\n"));
        }
        text = strchr(text, '\n');
        text += text != NULL ? 1 : 0;
    }
    return nd_strdup("");
}

/* ---- one milter ---- */

/* Cuts the next milter from a list: "inet:a:1", or "{ inet:a:1, name=value }",
 * which comes without its braces. NULL at the end. */
static char *next_milter(char **list)
{
    char *start = *list + strspn(*list, ", \t");
    bool braced = *start == '{';
    if (*start == '\0') {
        return NULL;
    }
    start += braced ? 1 : 0;
    char *end = start + strcspn(start, braced ? "}" : ", \t");
    *list = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return start + strspn(start, ", \t");
}

/* A milter's own value of "default_action", else Postfix's general one
 * ("milter_default_action"). A copy. */
static char *setting_of(const char *milter, const char *name,
                        const char *postconf)
{
    const char *at = milter;
    while ((at = strstr(at, name)) != NULL) {
        const char *value = at + strlen(name);
        value += strspn(value, " \t");
        if ((at == milter || strchr(", \t", at[-1]) != NULL) && *value == '=') {
            value += 1 + strspn(value + 1, " \t");
            return nd_strndup(value, strcspn(value, ", \t"));
        }
        at += strlen(name);
    }
    char *general = nd_sprintf("milter_%s", name);
    char *value = value_of(postconf, general);
    free(general);
    return value;
}

static void tell(struct nd_doctor *doctor, const char *milter,
                 const char *problem, const char *remedy)
{
    char *text = nd_sprintf("milter %.*s: %s", (int)strcspn(milter, ", \t"),
                            milter, problem);
    nd_doctor_tell(doctor, remedy != NULL ? ND_HEALTH_WARN : ND_HEALTH_OK,
                   "postfix", text, remedy);
    free(text);
}

static bool check_action(struct nd_doctor *doctor, const char *milter,
                         const char *postconf)
{
    char *action = setting_of(milter, "default_action", postconf);
    bool accepts = strcmp(action, "accept") == 0;
    if (!accepts) {
        char *problem = nd_sprintf(
            "its default_action is %s, not accept: mail stops while the "
            "milter is away",
            action);
        tell(doctor, milter, problem,
             "take the lines of packaging/postfix/main.cf, or: postconf -e "
             "milter_default_action=accept");
        free(problem);
    }
    free(action);
    return accepts;
}

static bool check_timeout(struct nd_doctor *doctor, const char *milter,
                          const char *name, int64_t least_ms,
                          const char *postconf)
{
    char *value = setting_of(milter, name, postconf);
    int64_t time_ms = 0;
    bool known = nd_parse_duration(value, NULL, &time_ms) == ND_OK;
    bool is_long = known && time_ms > LONG_MS;
    bool is_short = known && time_ms <= least_ms;
    if (is_long || is_short) {
        char *problem = nd_sprintf(
            is_long ? "its %s is %s: mail waits so long for a milter that hangs"
                    : "its %s is %s, no longer than neurald's own deadline: "
                      "late verdicts are lost instead of told",
            name, value);
        tell(doctor, milter, problem,
             "connect_timeout=2s, command_timeout=5s, content_timeout=10s, as "
             "in packaging/postfix/main.cf");
        free(problem);
    }
    free(value);
    return !is_long && !is_short;
}

static void check_milter(struct nd_doctor *doctor, const char *milter,
                         const char *postconf)
{
    int64_t deadline_ms = doctor->cli->config->milter.deadline_ms;
    bool fine = check_action(doctor, milter, postconf);
    fine &= check_timeout(doctor, milter, "connect_timeout", 0, postconf);
    fine &= check_timeout(doctor, milter, "command_timeout", 0, postconf);
    fine &=
        check_timeout(doctor, milter, "content_timeout", deadline_ms, postconf);
    if (fine) {
        tell(doctor, milter, "mail passes while it is away or hangs", NULL);
    }
}

/* ---- all of them ---- */

/* Whether Postfix's name of a milter may be the configured address: the same
 * port, or a path that ends alike, since Postfix's is seen from its chroot. */
static bool is_ours(const char *milter, const char *address)
{
    size_t length = strcspn(milter, ", \t");
    const char *place = strchr(address, ':');
    if (place == NULL) {
        return false;
    }
    place++;
    bool is_file =
        strncmp(address, "unix", 4) == 0 || strncmp(address, "local", 5) == 0;
    const char *name = memchr(milter, ':', length);
    name = name != NULL ? name + 1 : milter;
    size_t size = (size_t)(milter + length - name);
    if (!is_file) {
        size_t digits = strspn(place, "0123456789");
        return strncmp(milter, "inet", 4) == 0 && size > digits &&
               name[size - digits - 1] == ':' &&
               strncmp(name + size - digits, place, digits) == 0;
    }
    size_t whole = strlen(place);
    return strncmp(milter, "unix", 4) == 0 && size > 0 && size <= whole &&
           strncmp(place + whole - size, name, size) == 0;
}

static size_t check_list(struct nd_doctor *doctor, const char *name,
                         const char *postconf)
{
    const char *address = doctor->cli->config->milter.address;
    char *list = value_of(postconf, name), *rest = list, *milter;
    size_t checked = 0;
    while ((milter = next_milter(&rest)) != NULL) {
        if (address == NULL || is_ours(milter, address)) {
            check_milter(doctor, milter, postconf);
            checked++;
        }
    }
    free(list);
    return checked;
}

void nd_doctor_check_postfix(struct nd_doctor *doctor, const char *postconf)
{
    const char *address = doctor->cli->config->milter.address;
    struct nd_buffer text = {0};
    if (ask_postconf(postconf, &text)) {
        const char *settings = (const char *)text.data;
        size_t checked = check_list(doctor, "smtpd_milters", settings);
        checked += check_list(doctor, "non_smtpd_milters", settings);
        if (checked == 0 && address != NULL) {
            nd_doctor_tell(doctor, ND_HEALTH_WARN, "postfix",
                           "Postfix does not ask the milter that is configured "
                           "here",
                           "take the lines of packaging/postfix/main.cf, with "
                           "this milter's address");
        }
    }
    nd_buffer_free(&text);
}
