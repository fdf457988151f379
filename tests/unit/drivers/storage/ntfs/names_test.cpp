#include "drivers/storage/ntfs/names.h"

#include "drivers/storage/volume.h"

#include <doctest/doctest.h>

#include <set>

using namespace plugfs;
using namespace plugfs::storage;

TEST_CASE("NTFS: names that Windows takes") {
    for (const char* good : {"a", ".hidden", "two  blanks", "a.b.c", "Ümlaut", "日本語", "😀", "CON"}) {
        CHECK(ntfs::new_name(good).ok());
    }
    for (const char* bad :
         {"", ".", "..", "a.", "a ", "a/b", "a\\b", "a:b", "a*", "a?", "a\"b", "<", ">", "|", "\x1f", "\xff"}) {
        CHECK(ntfs::new_name(bad).error().code == EINVAL);
    }
    CHECK(ntfs::new_name(std::string(255, 'n')).ok());
    CHECK(ntfs::new_name(std::string(256, 'n')).error().code == ENAMETOOLONG);
}

TEST_CASE("NTFS: a key is a record, its sequence number and a name, whatever the size of the volume") {
    for (const std::uint64_t records : {std::uint64_t{100}, std::uint64_t{1} << 20U, std::uint64_t{1} << 33U}) {
        const ntfs::Keys keys(records);
        std::set<Key> all;
        for (const std::uint64_t record : {std::uint64_t{24}, std::uint64_t{99}}) {
            for (const std::uint16_t sequence : {1, 65535}) {
                const Key key = keys.make(record, sequence, 5, u"name");
                CHECK(key < volume_key_limit);
                CHECK(key != root_key);
                const auto parts = keys.split(key);
                CHECK(parts.record == record);
                CHECK(parts.sequence == sequence);
                CHECK(parts.hash == keys.hash(5, u"name"));
                all.insert(key);
            }
        }
        CHECK(all.size() == 4);
        CHECK(keys.hash(5, u"name") != keys.hash(6, u"name"));
        CHECK(keys.hash(5, u"name") != keys.hash(5, u"Name"));
    }
}
