#include <plugfs/unicode.h>

#include <doctest/doctest.h>

#include <iterator>
#include <string>

using namespace plugfs;

namespace {

std::string utf8(char32_t code_point) {
    std::string text;
    append_utf8(text, code_point);
    return text;
}

}  // namespace

TEST_CASE("UTF-8: the first and the last character of each length, there and back") {
    constexpr char32_t ends[] = {0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};
    constexpr std::size_t lengths[] = {1, 1, 2, 2, 3, 3, 3, 3, 4, 4};
    for (std::size_t i = 0; i < std::size(ends); ++i) {
        CAPTURE(static_cast<unsigned>(ends[i]));
        const std::string text = utf8(ends[i]) + "x";
        const auto [code_point, length] = decode_utf8(text);
        CHECK(code_point == ends[i]);
        CHECK(length == lengths[i]);
        CHECK(text.size() == lengths[i] + 1);
    }
}

TEST_CASE("UTF-8: what is none") {
    for (const char* text : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3\x28", "\xe0\x80\x80", "\xe0\x9f\xbf",
                             "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x9f\x98",
                             "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff"}) {
        CAPTURE(static_cast<unsigned>(static_cast<unsigned char>(text[0])));
        CHECK(decode_utf8(text).length == 0);
        CHECK_FALSE(is_utf8(std::string("a") + text));
        CHECK_FALSE(utf8_to_utf16(text));
    }
    CHECK(is_utf8(""));
    CHECK(is_utf8("Sigur R\xc3\xb3s \xf0\x9f\x98\x80"));
}

TEST_CASE("UTF-16: pairs, halves, and back") {
    bool damaged = false;
    CHECK(utf16_to_utf8(u"a\u00e4\u20ac\U0001f600", &damaged) == "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK_FALSE(damaged);
    CHECK(utf8_to_utf16("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80").value() == u"a\u00e4\u20ac\U0001f600");

    const std::string bad = utf8(replacement_character);
    constexpr char16_t high = 0xd83d;
    constexpr char16_t low = 0xde00;
    CHECK(utf16_to_utf8(std::u16string{high}, &damaged) == bad);
    CHECK(damaged);
    CHECK(utf16_to_utf8(std::u16string{low, 'a'}) == bad + "a");
    CHECK(utf16_to_utf8(std::u16string{high, 'a'}) == bad + "a");
    CHECK(utf16_to_utf8(std::u16string{high, high, low}) == bad + "\xf0\x9f\x98\x80");
}
