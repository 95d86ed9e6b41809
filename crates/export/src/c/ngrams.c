
/* Code points of UTF-8; a byte that is none of it counts as U+FFFD. */
static uint32_t next_code_point(const unsigned char **at)
{
    const unsigned char *p = *at;
    const int n = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : (*p & 0xf0) == 0xe0 ? 2 : *p >= 0xf0 && *p < 0xf5 ? 3 : -1;
    uint32_t code = n == 0 ? *p : *p & (0x3fu >> n);
    int i;
    for (i = 1; i <= n && (p[i] & 0xc0) == 0x80; i++)
        code = code << 6 | (p[i] & 0x3fu);
    if (n < 0 || i <= n) {
        *at = p + 1;
        return 0xfffd;
    }
    *at = p + n + 1;
    return code;
}

static int is_space(uint32_t code)
{
    return (code >= 9 && code <= 13) || code == 32 || code == 0x85 || code == 0xa0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f ||
           code == 0x3000;
}

/* Reads a text's symbols: code points, one space for each run of white space, and a space at the ends where these are marked. */
typedef struct {
    const unsigned char *at;
    uint32_t last, second;
    int stage; /* 0 before the text, 1 inside, 2 behind */
} reader;

static int next_symbol(reader *r, uint32_t *symbol)
{
    for (;;) {
        uint32_t code = 32;
        if (r->second != 0) {
            code = r->second;
            r->second = 0;
        } else if (r->stage == 2) {
            return 0;
        } else if (r->stage == 0 || *r->at == 0) {
            r->stage = r->stage == 0 ? 1 : 2;
            if (!MARKED_ENDS)
                continue;
        } else {
            code = next_code_point(&r->at);
            if (is_space(code))
                code = 32;
#if LOWERCASE
            else if (code == 0x130) { /* the only letter whose lower case has two code points */
                code = 'i';
                r->second = 0x307;
            } else
                code = lower(code);
#endif
        }
        if (code == 32 && r->last == 32)
            continue;
        r->last = *symbol = code;
        return 1;
    }
}

#define CHARACTERS UINT64_C(0xcbf29ce484222325)
#define WORDS UINT64_C(0x9e3779b97f4a7c15)

static uint64_t extend(uint64_t hash, uint64_t symbol)
{
    return (hash ^ symbol) * UINT64_C(0x100000001b3);
}

static uint32_t bucket(uint64_t hash)
{
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    hash ^= hash >> 33;
    return (uint32_t)(((hash >> 32) * (uint64_t)N_BUCKETS) >> 32);
}

typedef void visitor(uint32_t id, void *context);
/* @characters */

static void visit_characters(const char *text, visitor *visit, void *context)
{
    reader first = {(const unsigned char *)text, 0, 0, 0};
    uint32_t symbol;
    do {
        reader ahead = first;
        uint64_t hash = CHARACTERS;
        int n;
        for (n = 1; n <= LONGEST_CHARACTERS && next_symbol(&ahead, &symbol); n++) {
            hash = extend(hash, symbol);
            if (n >= SHORTEST_CHARACTERS)
                visit(bucket(hash), context);
        }
    } while (next_symbol(&first, &symbol));
}
/* @words */

static int next_word(reader *r, uint64_t *word)
{
    uint32_t symbol;
    int has_letters = 0;
    *word = WORDS;
    while (next_symbol(r, &symbol)) {
        if (symbol != 32) {
            *word = extend(*word, symbol);
            has_letters = 1;
        } else if (has_letters) {
            break;
        }
    }
    return has_letters;
}

static void visit_words(const char *text, visitor *visit, void *context)
{
    reader first = {(const unsigned char *)text, 0, 0, 0};
    uint64_t word;
    do {
        reader ahead = first;
        uint64_t hash = WORDS;
        int n;
        for (n = 1; n <= LONGEST_WORDS && next_word(&ahead, &word); n++) {
            hash = extend(hash, word);
            if (n >= SHORTEST_WORDS)
                visit(bucket(hash), context);
        }
    } while (next_word(&first, &word));
}
/* @ids */

typedef struct {
    uint32_t *ids;
    size_t n, capacity;
} id_list;

static void keep_id(uint32_t id, void *context)
{
    id_list *list = context;
    if (list->n < list->capacity)
        list->ids[list->n] = id;
    list->n++;
}

size_t model_ids(const char *text, uint32_t *ids, size_t capacity)
{
    id_list list = {NULL, 0, 0};
    list.ids = ids;
    list.capacity = capacity;
    visit_ngrams(text, keep_id, &list);
    return list.n;
}

/* Mean of the rows of all n-grams, which are hashed and added one by one. */
typedef struct {
    const matrix *table;
    float *row, *sum;
    size_t n;
} bag;

static void add_row(uint32_t id, void *context)
{
    bag *b = context;
    size_t i;
    unpack_row(b->table, id, b->row);
    for (i = 0; i < b->table->columns; i++)
        b->sum[i] += b->row[i];
    b->n++;
}

static void embedding_mean(const matrix *table, const char *text, float *row, float *out)
{
    bag b;
    size_t i;
    b.table = table;
    b.row = row;
    b.sum = out;
    b.n = 0;
    for (i = 0; i < table->columns; i++)
        out[i] = 0;
    visit_ngrams(text, add_row, &b);
    for (i = 0; i < table->columns && b.n > 0; i++)
        out[i] /= (float)b.n;
}
