/* SPDX-License-Identifier: Apache-2.0
 * APPNOTE.TXT 6.3. From the end of the file:
 *     end record      "PK\5\6"  counts, size and place of the directory; a comment to the file's end
 *     locator         "PK\6\7"  ZIP64: before the end record; where the ZIP64 end record is, "PK\6\6"
 *     directory       "PK\1\2"  an entry a member: sizes, place of its local header, name, extra fields
 *     local header    "PK\3\4"  before the data; its name and extra field have lengths of their own
 * A field of all ones stands for a wider one in the ZIP64 record or extra field; each field does so by itself.
 */
#include "formats/zip-archive.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum {
    END_BYTES = 22, LOCATOR_BYTES = 20, END64_BYTES = 56, ENTRY_BYTES = 46, LOCAL_BYTES = 30,
    COMMENT_MAX_BYTES = 65535,
    FLAG_ENCRYPTED = 1 | 1 << 6 | 1 << 13,
    EXTRA_ZIP64 = 1,
};

#define SIGNATURE_END 0x06054b50u
#define SIGNATURE_LOCATOR 0x07064b50u
#define SIGNATURE_END64 0x06064b50u
#define SIGNATURE_ENTRY 0x02014b50u
#define SIGNATURE_LOCAL 0x04034b50u
#define WIDE16 0xffffu
#define WIDE32 0xffffffffu

struct reader {
    const unsigned char *bytes;
    uint64_t size;
    uint64_t directory, directory_size, count; /* where the central directory is, how many entries it has */
};

static uint64_t number(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    while (count)
        value = value << 8 | bytes[--count];
    return value;
}

static uint32_t signature(const struct reader *reader, uint64_t at)
{
    return at + 4 <= reader->size ? (uint32_t)number(reader->bytes + at, 4) : 0;
}

bool zip_archive_begins(const unsigned char *bytes, size_t size)
{
    const struct reader reader = {.bytes = bytes, .size = size};
    return signature(&reader, 0) == SIGNATURE_LOCAL || signature(&reader, 0) == SIGNATURE_END;
}

/* The end record: the last one whose comment ends where the file ends. */
static int find_end(const struct reader *reader, uint64_t *end)
{
    uint64_t comment = 0, most = reader->size < END_BYTES ? 0 : reader->size - END_BYTES;
    for (; reader->size >= END_BYTES && comment <= most && comment <= COMMENT_MAX_BYTES; comment++) {
        *end = most - comment;
        if (signature(reader, *end) == SIGNATURE_END && number(reader->bytes + *end + 20, 2) == comment)
            return 0;
    }
    return fail("no whole ZIP archive: its end record is missing; is the file truncated?");
}

/* Replaces the fields of all ones by those of the ZIP64 record, if there is one; *end then begins there. */
static int read_end64(struct reader *reader, uint64_t *end)
{
    uint64_t locator = *end - LOCATOR_BYTES;
    if (*end < LOCATOR_BYTES || signature(reader, locator) != SIGNATURE_LOCATOR)
        return 0;
    uint64_t at = number(reader->bytes + locator + 8, 8);
    if (number(reader->bytes + locator + 4, 4) != 0 || number(reader->bytes + locator + 16, 4) > 1)
        return fail("an archive of several parts is not supported");
    if (at > locator || locator - at < END64_BYTES || signature(reader, at) != SIGNATURE_END64)
        return fail("its ZIP64 end record is not where the locator says");
    const unsigned char *record = reader->bytes + at;
    if (number(record + 16, 4) != 0 || number(record + 20, 4) != 0 || number(record + 24, 8) != number(record + 32, 8))
        return fail("an archive of several parts is not supported");
    if (reader->count == WIDE16)
        reader->count = number(record + 32, 8);
    if (reader->directory_size == WIDE32)
        reader->directory_size = number(record + 40, 8);
    if (reader->directory == WIDE32)
        reader->directory = number(record + 48, 8);
    *end = at;
    return 0;
}

static int read_end(struct reader *reader)
{
    uint64_t end = 0;
    if (find_end(reader, &end))
        return -1;
    const unsigned char *record = reader->bytes + end;
    uint64_t disk = number(record + 4, 2), first = number(record + 6, 2);
    if ((disk != 0 && disk != WIDE16) || (first != 0 && first != WIDE16) || number(record + 8, 2) != number(record + 10, 2))
        return fail("an archive of several parts is not supported");
    reader->count = number(record + 10, 2);
    reader->directory_size = number(record + 12, 4);
    reader->directory = number(record + 16, 4);
    if (read_end64(reader, &end))
        return -1;
    if (reader->directory > end || reader->directory_size > end - reader->directory)
        return fail("its directory goes beyond its end record; is the file damaged?");
    if (reader->count > reader->directory_size / ENTRY_BYTES)
        return fail("its directory of %llu bytes cannot hold %llu members", (unsigned long long)reader->directory_size,
                    (unsigned long long)reader->count);
    return 0;
}

/* The fields of an entry that ZIP64 can widen, in the order of the extra field. */
struct entry {
    uint64_t size, stored, header, disk;
};

static int take_wide(uint64_t *field, uint64_t narrow, int bytes, const unsigned char **at, const unsigned char *end)
{
    if (*field != narrow)
        return 0;
    if (end - *at < bytes)
        return fail("its ZIP64 field is missing or too short");
    *field = number(*at, bytes);
    *at += bytes;
    return 0;
}

static int widen(struct entry *entry, const unsigned char *at, const unsigned char *end)
{
    return take_wide(&entry->size, WIDE32, 8, &at, end) || take_wide(&entry->stored, WIDE32, 8, &at, end) ||
           take_wide(&entry->header, WIDE32, 8, &at, end) || take_wide(&entry->disk, WIDE16, 4, &at, end) ? -1 : 0;
}

static int read_extra(struct entry *entry, const unsigned char *extra, size_t length)
{
    const unsigned char *end = extra + length, *none = extra;
    while (end - extra >= 4) {
        size_t size = (size_t)number(extra + 2, 2);
        if (size > (size_t)(end - extra) - 4)
            return fail("its extra field is damaged");
        if (number(extra, 2) == EXTRA_ZIP64)
            return widen(entry, extra + 4, extra + 4 + size);
        extra += 4 + size;
    }
    return widen(entry, none, none);
}

static int check_name(const char *name, size_t length)
{
    if (length == 0 || strlen(name) != length || !utf8_valid(name, length))
        return fail("a member's name is empty or no text");
    if (name[0] == '/')
        return fail("member '%.200s' has no relative name", name);
    for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == 0))
            return fail("member '%.200s' leads out of its folder", name);
    return 0;
}

/* The data lies after the local header, whose name and extra field may differ in length from the directory's. */
static int read_local(const struct reader *reader, const struct entry *entry, struct zip_member *member)
{
    if (entry->header > reader->directory || reader->directory - entry->header < LOCAL_BYTES ||
        signature(reader, entry->header) != SIGNATURE_LOCAL)
        return fail("its local header is not where the directory says");
    const unsigned char *local = reader->bytes + entry->header;
    uint64_t name = number(local + 26, 2), data = entry->header + LOCAL_BYTES + name + number(local + 28, 2);
    if (data > reader->directory || entry->size > reader->directory - data)
        return fail("its data goes beyond the archive; is the file truncated?");
    if (name != strlen(member->name) || memcmp(local + LOCAL_BYTES, member->name, (size_t)name) != 0)
        return fail("its local header has another name");
    if (number(local + 6, 2) & FLAG_ENCRYPTED || number(local + 8, 2) != 0)
        return fail("its local header says that it is encrypted or compressed");
    member->header = entry->header;
    member->data = reader->bytes + data;
    member->size = (size_t)entry->size;
    return 0;
}

static int check_entry(const unsigned char *record, const struct entry *entry)
{
    if (number(record + 8, 2) & FLAG_ENCRYPTED)
        return fail("it is encrypted");
    if (number(record + 10, 2) != 0 || entry->stored != entry->size)
        return fail("it is compressed, which PyTorch never does");
    if (entry->disk != 0)
        return fail("an archive of several parts is not supported");
    return 0;
}

/* One entry of the directory at *at, which moves behind it. */
static int read_entry(const struct reader *reader, uint64_t *at, struct zip_member *member)
{
    uint64_t left = reader->directory + reader->directory_size - *at;
    const unsigned char *record = reader->bytes + *at;
    if (left < ENTRY_BYTES || signature(reader, *at) != SIGNATURE_ENTRY)
        return fail("its directory is damaged");
    uint64_t name = number(record + 28, 2), extra = number(record + 30, 2), comment = number(record + 32, 2);
    if (name + extra + comment > left - ENTRY_BYTES)
        return fail("its directory is damaged");
    *at += ENTRY_BYTES + name + extra + comment;
    member->name = copy_bytes((const char *)record + ENTRY_BYTES, (size_t)name);
    if (check_name(member->name, (size_t)name))
        return -1;
    struct entry entry = {.size = number(record + 24, 4), .stored = number(record + 20, 4), .header = number(record + 42, 4),
                          .disk = number(record + 34, 2)};
    if (read_extra(&entry, record + ENTRY_BYTES + name, (size_t)extra) || check_entry(record, &entry) ||
        read_local(reader, &entry, member))
        return failure_within("member '%.200s'", member->name);
    return 0;
}

static int by_place(const void *left, const void *right)
{
    const struct zip_member *a = left, *b = right;
    return (a->header > b->header) - (a->header < b->header);
}

static int by_name(const void *left, const void *right)
{
    const struct zip_member *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* Leaves the members sorted by name. */
static int check_members(const struct reader *reader, struct zip_archive *archive)
{
    struct zip_member *members = archive->members;
    qsort(members, archive->count, sizeof *members, by_place);
    for (size_t i = 1; i < archive->count; i++)
        if (members[i].header < (uint64_t)(members[i - 1].data - reader->bytes) + members[i - 1].size)
            return fail("members '%.200s' and '%.200s' overlap", members[i - 1].name, members[i].name);
    qsort(members, archive->count, sizeof *members, by_name);
    for (size_t i = 1; i < archive->count; i++)
        if (strcmp(members[i].name, members[i - 1].name) == 0)
            return fail("member '%.200s' is there twice", members[i].name);
    return 0;
}

static int read_members(const struct reader *reader, struct zip_archive *archive)
{
    uint64_t at = reader->directory;
    archive->members = allocate((size_t)reader->count + 1, sizeof *archive->members);
    while (archive->count < reader->count)
        if (read_entry(reader, &at, &archive->members[archive->count++]))
            return -1;
    if (at != reader->directory + reader->directory_size)
        return fail("its directory holds more than its %llu members", (unsigned long long)reader->count);
    return check_members(reader, archive);
}

int zip_archive_read(struct zip_archive *archive, const unsigned char *bytes, size_t size)
{
    struct reader reader = {.bytes = bytes, .size = size};
    *archive = (struct zip_archive){0};
    if (read_end(&reader) == 0 && read_members(&reader, archive) == 0)
        return 0;
    zip_archive_release(archive);
    return -1;
}

void zip_archive_release(struct zip_archive *archive)
{
    for (size_t i = 0; i < archive->count; i++)
        free(archive->members[i].name);
    free(archive->members);
    *archive = (struct zip_archive){0};
}

const struct zip_member *zip_archive_find(const struct zip_archive *archive, const char *name)
{
    struct zip_member wanted = {.name = (char *)(uintptr_t)name};
    return archive->count ? bsearch(&wanted, archive->members, archive->count, sizeof wanted, by_name) : NULL;
}
