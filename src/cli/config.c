/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the configuration file with libconfuse. Every key is declared to it as
 * a string (or list of strings) built from the table, and a validating
 * callback, which runs while the line number is still known, sets the value.
 * libconfuse merges repeated keys and sections in silence; the callback
 * remembers what it has seen, so that a repetition is an error.
 */
#include "cli/config.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "cli/config_keys.h"

#define MAX_FILE_BYTES (1U << 20)
#define PIECE_BYTES ((size_t)16 << 10)

/* libconfuse takes the end of the file for the end of any section. A last key
 * of ours behind the file's text is unknown in a section left open. */
#define END_KEY "_end_of_file_"

/* libconfuse's callbacks carry no context, so the parse under way is here. */
static struct {
    const char *path;
    struct nd_config *config;
    struct nd_error *error;
    enum nd_status status;
    int last_line;
    struct nd_buffer seen; /* struct seen_option, one after the other */
} parse;

struct seen_option {
    const cfg_opt_t *option;
    int line;
    bool closed; /* a list, by its brace */
};

/* ---- errors ---- */

static enum nd_status fail_at(int line, enum nd_status status,
                              const char *message)
{
    line = line < parse.last_line ? line : parse.last_line;
    if (parse.status == ND_OK) {
        parse.status = nd_fail(parse.error, status, "%s:%d: %s", parse.path,
                               line, message);
    }
    return parse.status;
}

static void confuse_error(cfg_t *section, const char *format, va_list list)
    __attribute__((format(printf, 2, 0)));
static void confuse_error(cfg_t *section, const char *format, va_list list)
{
    static const char unknown[] = "no such option '";
    char message[ND_ERROR_BYTES];
    vsnprintf(message, sizeof(message), format, list);
    if (strstr(message, "'" END_KEY "'") != NULL) {
        snprintf(message, sizeof(message),
                 "section %s is not closed: a '}' is missing", section->name);
    } else if (strncmp(message, unknown, strlen(unknown)) == 0) {
        char *name = nd_strdup(message + strlen(unknown));
        name[strcspn(name, "'")] = '\0';
        snprintf(message, sizeof(message),
                 "unknown key %.100s; 'man neurald.conf' and 'neurald config "
                 "--example' list those that there are",
                 name);
        free(name);
    }
    fail_at(section->line, ND_CONFIG, message);
}

static struct seen_option *find_seen(const cfg_opt_t *option)
{
    struct seen_option *seen = (void *)parse.seen.data;
    for (size_t i = 0; i < parse.seen.length / sizeof(*seen); i++) {
        if (seen[i].option == option) {
            return &seen[i];
        }
    }
    return NULL;
}

static void note_seen(const cfg_t *section, const cfg_opt_t *option)
{
    struct seen_option now = {option, section->line, false};
    nd_buffer_append(&parse.seen, &now, sizeof(now));
}

static enum nd_status fail_repeated(const cfg_t *section,
                                    const struct seen_option *seen)
{
    char message[ND_ERROR_BYTES];
    snprintf(message, sizeof(message),
             "%s was already given on line %d; remove one of them",
             seen->option->name, seen->line);
    return fail_at(section->line, ND_CONFIG, message);
}

/* ---- sections and values ---- */

static struct nd_origins make_origins(enum nd_section_id id)
{
    size_t count = nd_config_section(id)->count;
    return (struct nd_origins){nd_calloc(count, sizeof(char *))};
}

/* Sets every field from the table's defaults, so that these are the truth. */
static enum nd_status set_defaults(enum nd_section_id id, void *base,
                                   struct nd_error *error)
{
    const struct nd_section_info *section = nd_config_section(id);
    for (size_t i = 0; i < section->count; i++) {
        const struct nd_key_info *key = &section->keys[i];
        enum nd_status status =
            key->type == ND_KEY_TRUST
                ? ND_OK
                : nd_key_set(key, key->standard, base, error);
        if (status != ND_OK) {
            return status;
        }
    }
    return ND_OK;
}

static enum nd_status add_rule(struct nd_config *config, const char *name,
                               struct nd_error *error)
{
    static const struct nd_key_info title = {
        .name = "rule",
        .type = ND_KEY_NAME,
        .offset = offsetof(struct nd_rule, name)};
    size_t index = config->rule_count;
    config->rules =
        nd_realloc(config->rules, index + 1, sizeof(*config->rules));
    config->rule_origins = nd_realloc(config->rule_origins, index + 1,
                                      sizeof(*config->rule_origins));
    struct nd_rule *rule = &config->rules[index];
    nd_rule_init(rule);
    config->rule_origins[index] = make_origins(ND_SECTION_RULE);
    config->rule_count++;
    enum nd_status status = nd_key_set(&title, name, rule, error);
    return status == ND_OK ? set_defaults(ND_SECTION_RULE, rule, error)
                           : status;
}

void *nd_config_base(const struct nd_config *config, enum nd_section_id id)
{
    static const size_t offsets[ND_SECTION_RULE] = {
        [ND_SECTION_GLOBAL] = offsetof(struct nd_config, global),
        [ND_SECTION_LIMITS] = offsetof(struct nd_config, limits),
        [ND_SECTION_SERVE] = offsetof(struct nd_config, serve),
        [ND_SECTION_MILTER] = offsetof(struct nd_config, milter),
    };
    return (char *)config + offsets[id];
}

/* A section that there is one of; what has no name of ours is the whole. */
static enum nd_section_id find_single(const char *name)
{
    for (int id = ND_SECTION_GLOBAL + 1; id < ND_SECTION_RULE; id++) {
        if (strcmp(name, nd_config_section((enum nd_section_id)id)->name) ==
            0) {
            return (enum nd_section_id)id;
        }
    }
    return ND_SECTION_GLOBAL;
}

struct place {
    enum nd_section_id id;
    void *base;
    struct nd_origins *origins;
};

static enum nd_status find_place(const cfg_t *section, struct place *place_r)
{
    struct nd_config *config = parse.config;
    if (strcmp(section->name, "rule") != 0) {
        enum nd_section_id id = find_single(section->name);
        *place_r = (struct place){id, nd_config_base(config, id),
                                  &config->origins[id]};
        return ND_OK;
    }
    struct nd_rule *rule = nd_config_rule(config, section->title);
    if (rule == NULL) {
        struct nd_error detail = {0};
        if (add_rule(config, section->title, &detail) != ND_OK) {
            return fail_at(section->line, ND_CONFIG, detail.text);
        }
        rule = &config->rules[config->rule_count - 1];
    }
    *place_r = (struct place){ND_SECTION_RULE, rule,
                              &config->rule_origins[rule - config->rules]};
    return ND_OK;
}

/* Sets the option's values from first on. */
static enum nd_status set_values(const cfg_t *section, cfg_opt_t *option,
                                 unsigned int first)
{
    struct place place;
    enum nd_status status = find_place(section, &place);
    if (status != ND_OK) {
        return status;
    }
    const struct nd_section_info *info = nd_config_section(place.id);
    size_t index = 0;
    while (strcmp(info->keys[index].name, option->name) != 0) {
        index++;
    }
    for (unsigned int i = first; i < option->nvalues; i++) {
        struct nd_error detail = {0};
        if (nd_key_set(&info->keys[index], cfg_opt_getnstr(option, i),
                       place.base, &detail) != ND_OK) {
            return fail_at(section->line, ND_CONFIG, detail.text);
        }
    }
    if (place.origins->of[index] == NULL) {
        place.origins->of[index] =
            nd_sprintf("%s:%d", parse.path, section->line);
    }
    return ND_OK;
}

/* Called after the value of a key. */
static int key_given(cfg_t *section, cfg_opt_t *option)
{
    const struct seen_option *seen = find_seen(option);
    if (seen != NULL) {
        (void)fail_repeated(section, seen);
        return -1;
    }
    note_seen(section, option);
    return set_values(section, option, 0) == ND_OK ? 0 : -1;
}

/* How many of a list's values were set before: these were emptied then, as
 * libconfuse has no use for them. An assignment starts with new ones. */
static unsigned int count_old(cfg_opt_t *option)
{
    unsigned int count = 0;
    while (count < option->nvalues &&
           cfg_opt_getnstr(option, count)[0] == '\0') {
        count++;
    }
    return count;
}

/* Called after each value of a list, and once more at its closing brace. */
static int list_given(cfg_t *section, cfg_opt_t *option)
{
    struct seen_option *seen = find_seen(option);
    unsigned int old = count_old(option);
    if (seen != NULL && old == option->nvalues && !seen->closed) {
        seen->closed = true;
        return 0;
    }
    if (seen != NULL && (seen->closed || old == 0)) {
        (void)fail_repeated(section, seen);
        return -1;
    }
    if (seen == NULL) {
        note_seen(section, option);
    }
    if (set_values(section, option, old) != ND_OK) {
        return -1;
    }
    for (unsigned int i = old; i < option->nvalues; i++) {
        cfg_opt_getnstr(option, i)[0] = '\0';
    }
    return 0;
}

/* Called at the end of a section, also of an empty one. */
static int section_given(cfg_t *parent, cfg_opt_t *option)
{
    const struct seen_option *seen = find_seen(option);
    if ((option->flags & CFGF_MULTI) == 0) {
        if (seen != NULL) {
            (void)fail_repeated(parent, seen);
            return -1;
        }
        note_seen(parent, option);
    }
    cfg_t *section = cfg_opt_getnsec(option, cfg_opt_size(option) - 1);
    struct place place;
    return find_place(section, &place) == ND_OK ? 0 : -1;
}

/* ---- declaring the table to libconfuse ---- */

static cfg_opt_t *declare_keys(enum nd_section_id id, size_t room_for_more)
{
    const struct nd_section_info *section = nd_config_section(id);
    cfg_opt_t end = CFG_END();
    cfg_opt_t *options =
        nd_calloc(section->count + room_for_more + 1, sizeof(*options));
    for (size_t i = 0; i < section->count; i++) {
        const char *name = section->keys[i].name;
        cfg_opt_t one = CFG_STR(name, NULL, CFGF_NODEFAULT);
        cfg_opt_t list = CFG_STR_LIST(name, NULL, CFGF_NODEFAULT);
        bool is_list = section->keys[i].type == ND_KEY_TRUST;
        options[i] = is_list ? list : one;
        options[i].validcb = is_list ? list_given : key_given;
    }
    for (size_t i = 0; i <= room_for_more; i++) {
        options[section->count + i] = end;
    }
    return options;
}

static int run_confuse(const char *text)
{
    cfg_opt_t *keys[ND_SECTION_COUNT_OF_THEM] = {NULL};
    cfg_opt_t *all = declare_keys(ND_SECTION_GLOBAL, ND_SECTION_COUNT_OF_THEM);
    cfg_opt_t end_key = CFG_STR(END_KEY, NULL, CFGF_NODEFAULT);
    size_t next = nd_config_section(ND_SECTION_GLOBAL)->count;
    for (int id = ND_SECTION_GLOBAL + 1; id < ND_SECTION_COUNT_OF_THEM; id++) {
        cfg_flag_t flags = id == ND_SECTION_RULE
                               ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES
                               : CFGF_NONE;
        keys[id] = declare_keys((enum nd_section_id)id, 0);
        cfg_opt_t section = CFG_SEC(
            nd_config_section((enum nd_section_id)id)->name, keys[id], flags);
        section.validcb = section_given;
        all[next++] = section;
    }
    all[next] = end_key;

    cfg_t *confuse = cfg_init(all, CFGF_NONE);
    cfg_set_error_function(confuse, confuse_error);
    int result = cfg_parse_buf(confuse, text);
    cfg_free(confuse);
    free(all);
    for (int id = 0; id < ND_SECTION_COUNT_OF_THEM; id++) {
        free(keys[id]);
    }
    return result;
}

/* ---- the file ---- */

static enum nd_status read_stream(const char *path, FILE *file,
                                  struct nd_error *error,
                                  struct nd_buffer *text)
{
    struct stat info;
    if (fstat(fileno(file), &info) != 0 || S_ISDIR(info.st_mode)) {
        return nd_fail(error, ND_CONFIG,
                       "%s is a folder; a configuration file is wanted", path);
    }
    size_t got;
    do {
        uint8_t *place = nd_buffer_reserve(text, PIECE_BYTES);
        got = fread(place, 1, PIECE_BYTES, file);
        text->length += got;
    } while (got == PIECE_BYTES && text->length <= MAX_FILE_BYTES);
    if (ferror(file)) {
        return nd_fail_errno(error, "cannot read configuration %s", path);
    }
    if (text->length > MAX_FILE_BYTES) {
        return nd_fail(error, ND_CONFIG, "%s is larger than %u bytes", path,
                       MAX_FILE_BYTES);
    }
    if (text->length > 0 && memchr(text->data, '\0', text->length) != NULL) {
        return nd_fail(error, ND_CONFIG,
                       "%s holds a NUL byte; it is no configuration", path);
    }
    nd_buffer_append_text(text, "\n" END_KEY " = 1\n");
    return ND_OK;
}

static int count_lines(const struct nd_buffer *text)
{
    int lines = 0;
    for (size_t i = 0; i < text->length; i++) {
        lines += text->data[i] == '\n';
    }
    return lines;
}

static enum nd_status parse_file(const char *path, struct nd_config *config,
                                 struct nd_error *error)
{
    struct nd_buffer text = {0};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return nd_fail_errno(error, "cannot open configuration %s", path);
    }
    enum nd_status status = read_stream(path, file, error, &text);
    fclose(file);
    if (status == ND_OK) {
        parse.path = path;
        parse.config = config;
        parse.error = error;
        parse.status = ND_OK;
        parse.last_line = count_lines(&text) - 1;
        if (run_confuse((const char *)text.data) != CFG_SUCCESS &&
            parse.status == ND_OK) {
            parse.status =
                nd_fail(error, ND_CONFIG, "%s: cannot be parsed", path);
        }
        status = parse.status;
        nd_buffer_free(&parse.seen);
    }
    nd_buffer_free(&text);
    return status;
}

/* ---- the whole ---- */

static bool has_mail_rule(const struct nd_config *config)
{
    for (size_t i = 0; i < config->rule_count; i++) {
        if (config->rules[i].kind == ND_KIND_MAIL) {
            return true;
        }
    }
    return false;
}

static void swap_rules(struct nd_config *config, size_t one, size_t other)
{
    struct nd_rule rule = config->rules[one];
    struct nd_origins origins = config->rule_origins[one];
    config->rules[one] = config->rules[other];
    config->rule_origins[one] = config->rule_origins[other];
    config->rules[other] = rule;
    config->rule_origins[other] = origins;
}

/* Moves the rules of kind rspamd behind the others, each kind in its order, so
 * that all commands but neurald rspamd see none of them. */
static void part_rules(struct nd_config *config)
{
    size_t mail = 0;
    for (size_t i = 0; i < config->rule_count; i++) {
        if (config->rules[i].kind != ND_KIND_MAIL) {
            continue;
        }
        for (size_t k = i; k > mail; k--) {
            swap_rules(config, k - 1, k);
        }
        mail++;
    }
    config->rspamd_rule_count = config->rule_count - mail;
    config->rule_count = mail;
}

static enum nd_status load_into(struct nd_config *config, const char *path,
                                struct nd_error *error)
{
    enum nd_status status = ND_OK;
    for (int id = 0; id < ND_SECTION_RULE && status == ND_OK; id++) {
        enum nd_section_id section = (enum nd_section_id)id;
        status = set_defaults(section, nd_config_base(config, section), error);
    }
    if (status == ND_OK && path != NULL) {
        config->path = nd_strdup(path);
        status = parse_file(path, config, error);
    }
    if (status == ND_OK && !has_mail_rule(config)) {
        status = add_rule(config, "default", error);
    }
    if (status == ND_OK) {
        part_rules(config);
    }
    return status;
}

enum nd_status nd_config_load(const char *path, struct nd_error *error,
                              struct nd_config **config_r)
{
    struct nd_config *config = nd_calloc(1, sizeof(*config));
    for (int id = 0; id < ND_SECTION_RULE; id++) {
        config->origins[id] = make_origins((enum nd_section_id)id);
    }
    enum nd_status status = load_into(config, path, error);
    if (status != ND_OK) {
        nd_config_destroy(&config);
        return status;
    }
    *config_r = config;
    return ND_OK;
}

static void free_origins(enum nd_section_id id, struct nd_origins *origins)
{
    for (size_t i = 0; i < nd_config_section(id)->count; i++) {
        free(origins->of[i]);
    }
    free(origins->of);
}

void nd_config_destroy(struct nd_config **config)
{
    if (config == NULL || *config == NULL) {
        return;
    }
    struct nd_config *old = *config;
    for (size_t i = 0; i < old->rule_count + old->rspamd_rule_count; i++) {
        nd_rule_free(&old->rules[i]);
        free_origins(ND_SECTION_RULE, &old->rule_origins[i]);
    }
    free(old->rules);
    free(old->rule_origins);
    for (int id = 0; id < ND_SECTION_RULE; id++) {
        enum nd_section_id section = (enum nd_section_id)id;
        nd_section_free(section, nd_config_base(old, section));
        free_origins(section, &old->origins[id]);
    }
    free(old->path);
    free(old);
    *config = NULL;
}

void nd_config_set_store(struct nd_config *config, const char *url,
                         const char *origin)
{
    free(config->global.store);
    config->global.store = nd_strdup(url);
    const struct nd_section_info *section =
        nd_config_section(ND_SECTION_GLOBAL);
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->keys[i].name, "store") == 0) {
            struct nd_origins *origins = &config->origins[ND_SECTION_GLOBAL];
            free(origins->of[i]);
            origins->of[i] = nd_strdup(origin);
        }
    }
}

struct nd_rule *nd_config_rule(const struct nd_config *config, const char *name)
{
    for (size_t i = 0; i < config->rule_count; i++) {
        if (strcmp(config->rules[i].name, name) == 0) {
            return &config->rules[i];
        }
    }
    return NULL;
}
