/* SPDX-License-Identifier: Apache-2.0
 *
 * Running text to words, pairs of neighbouring words, and character 4-grams:
 * a pass over its code points for the words and one for the 4-grams, each short
 * enough to keep in registers what it carries from one to the next.
 *
 * A word is a run of letters, digits and apostrophes; an ideograph is a word
 * alone. Digits all count as 0: prices, dates and numbers then share what
 * their shape says, and none is learned by heart. Blanks count once in
 * 4-grams. Pairs and 4-grams are hashed from hashes and code points, without
 * building their names unless somebody wants to read them.
 */
#include "features/text.h"

#include <string.h>

#include "features/footer.h"
#include "features/unicode.h"

#define LONGEST_WORD 32U
#define UNIT_BITS 16U

struct walk {
    struct nd_collector *collector;
    const struct nd_text_plan *plan;
    struct nd_token word; /* prefix and the word so far */
    size_t prefix_length;
    uint32_t letters;          /* code points of the word */
    uint64_t previous;         /* hash of the word before; 0: none */
    struct nd_token neighbour; /* that word, where names are wanted */
};

static void begin_word(struct walk *walk)
{
    walk->word.length = walk->prefix_length;
    walk->letters = 0;
}

static void add_pair(struct walk *walk, uint64_t hash)
{
    enum nd_family family = walk->plan->pairs;
    uint64_t both = walk->previous * 3 + hash;
    if (!nd_collect_add(walk->collector, family,
                        nd_collect_mix(&walk->collector->mixers, both))) {
        return;
    }
    struct nd_token name;
    nd_token_start(&name, walk->plan->pair_prefix);
    nd_token_add(&name, walk->neighbour.text, walk->neighbour.length);
    nd_token_add_text(&name, " ");
    nd_token_add(&name, walk->word.text + walk->prefix_length,
                 walk->word.length - walk->prefix_length);
    nd_collect_name(walk->collector, family, &name);
}

static void add_marked(struct walk *walk)
{
    struct nd_token marked;
    nd_token_start(&marked, walk->plan->mark);
    nd_token_add(&marked, walk->word.text + walk->prefix_length,
                 walk->word.length - walk->prefix_length);
    nd_collect_token(walk->collector, walk->plan->words, &marked);
}

/* Over-long words are random strings more often than words: only their
 * presence counts. */
static void shorten_word(struct walk *walk)
{
    uint32_t letters = walk->letters;
    begin_word(walk);
    nd_token_add_text(&walk->word, "<long ");
    nd_token_add_step(&walk->word, letters);
    nd_token_add_text(&walk->word, ">");
}

static bool is_silent(const struct walk *walk)
{
    const char *const *silent = walk->plan->silent;
    const char *word = walk->word.text + walk->prefix_length;
    size_t length = walk->word.length - walk->prefix_length;
    for (; silent != NULL && *silent != NULL; silent++)
        if (strlen(*silent) == length && memcmp(*silent, word, length) == 0)
            return true;
    return false;
}

static void end_word(struct walk *walk)
{
    if (walk->letters == 0)
        return;
    if (is_silent(walk)) {
        begin_word(walk);
        return;
    }
    if (walk->letters > LONGEST_WORD) {
        shorten_word(walk);
    }
    uint64_t hash = nd_collect_hash(walk->collector, &walk->word);
    if (nd_collect_add(walk->collector, walk->plan->words, hash)) {
        nd_collect_name(walk->collector, walk->plan->words, &walk->word);
    }
    if (walk->plan->mark != NULL) {
        add_marked(walk);
    }
    if (walk->previous != 0) {
        add_pair(walk, hash);
    }
    walk->previous = hash;
    if (walk->collector->wants_names) {
        walk->neighbour.length = 0;
        nd_token_add(&walk->neighbour, walk->word.text + walk->prefix_length,
                     walk->word.length - walk->prefix_length);
    }
    begin_word(walk);
}

static void add_to_word(struct walk *walk, uint32_t code,
                        enum nd_char_class class)
{
    if (class == ND_CHAR_IDEOGRAPH) {
        end_word(walk);
        nd_token_add_code(&walk->word, code);
        walk->letters = 1;
        end_word(walk);
        return;
    }
    bool inner = code == '\'' && walk->letters > 0;
    if (class == ND_CHAR_LETTER || class == ND_CHAR_DIGIT || inner ||
        code == '$') {
        walk->letters++;
        nd_token_add_code(&walk->word, code);
        return;
    }
    end_word(walk);
}

/* Takes the ASCII letters and digits at cursor, which most text is made of. */
static const char *add_plain(struct walk *walk, const char *cursor,
                             const char *end)
{
    const char *start = cursor;
    size_t length = walk->word.length;
    for (; cursor < end; cursor++) {
        unsigned char byte = (unsigned char)*cursor;
        if (byte >= 0x80 || (nd_ascii_classes[byte] != ND_CHAR_LETTER &&
                             nd_ascii_classes[byte] != ND_CHAR_DIGIT))
            break;
        if (length < sizeof walk->word.text)
            walk->word.text[length++] = nd_folded_ascii[byte];
    }
    walk->word.length = length;
    walk->letters += (uint32_t)(cursor - start);
    return cursor;
}

static void collect_words(struct nd_collector *collector,
                          const struct nd_text_plan *plan, struct nd_text text)
{
    struct walk walk = {.collector = collector, .plan = plan};
    const char *cursor = text.data;
    const char *end = text.data + text.length;
    nd_token_start(&walk.word, plan->word_prefix);
    walk.prefix_length = walk.word.length;
    while ((cursor = add_plain(&walk, cursor, end)) < end) {
        enum nd_char_class class;
        uint32_t code = nd_next_folded(&cursor, end, &class);
        if (class != ND_CHAR_IGNORED)
            add_to_word(&walk, code, class);
    }
    end_word(&walk);
}

static void name_gram(struct nd_collector *collector,
                      const struct nd_text_plan *plan, uint64_t window)
{
    struct nd_token name;
    nd_token_start(&name, plan->gram_prefix);
    for (uint32_t shift = 4 * UNIT_BITS; shift > 0; shift -= UNIT_BITS) {
        nd_token_add_code(&name,
                          (uint32_t)(window >> (shift - UNIT_BITS) & 0xFFFF));
    }
    nd_collect_name(collector, plan->grams, &name);
}

static void collect_grams(struct nd_collector *collector,
                          const struct nd_text_plan *plan, struct nd_text text)
{
    struct nd_slot_set *set = &collector->sets[plan->grams];
    const struct nd_mixers mixers = collector->mixers;
    bool wants_names = collector->wants_names;
    uint64_t window = ' '; /* the last four code points, 16 bits each */
    const char *cursor = text.data;
    const char *end = text.data + text.length;
    while (cursor < end) {
        enum nd_char_class class;
        uint32_t code = nd_next_folded(&cursor, end, &class);
        uint64_t unit = (code ^ code >> UNIT_BITS) & 0xFFFF;
        if (class == ND_CHAR_IGNORED ||
            (unit == ' ' && (window & 0xFFFF) == ' '))
            continue;
        window = window << UNIT_BITS | unit;
        if (window >> 3 * UNIT_BITS == 0)
            continue;
        uint64_t hash = nd_collect_mix(&mixers, window);
        bool is_new = nd_slot_set_add(set, hash);
        if (wants_names && is_new) {
            nd_collect_unnamed(collector, plan->grams, hash);
            name_gram(collector, plan, window);
        }
    }
}

void nd_collect_text(struct nd_collector *collector,
                     const struct nd_text_plan *plan, struct nd_text text)
{
    if (nd_collect_wants(collector, plan->words) ||
        nd_collect_wants(collector, plan->pairs))
        collect_words(collector, plan, text);
    if (nd_collect_wants(collector, plan->grams))
        collect_grams(collector, plan, text);
}

void nd_collect_content(struct nd_collector *collector,
                        const struct nd_message *message)
{
    struct nd_text_plan plan = {
        .words = ND_FAMILY_WORDS,
        .pairs = ND_FAMILY_PAIRS,
        .grams = ND_FAMILY_GRAMS,
        .word_prefix = "word:",
        .pair_prefix = "pair:",
        .gram_prefix = "gram:",
        .mark = "subject:",
    };
    struct nd_text text = message->text;
    text.length -= nd_list_footer(text).length;
    nd_collect_text(collector, &plan, message->subject);
    plan.mark = NULL;
    nd_collect_text(collector, &plan, text);
}
