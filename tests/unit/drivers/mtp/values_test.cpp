#include "dataset_writer.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

// Reads units as a string that counts them; the terminating null is among them, if there is one.
std::string read_units(std::u16string_view units, bool* damaged = nullptr) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(units.size()));
    for (const char16_t unit : units) {
        out.u16le(unit);
    }
    ByteReader reader(out.bytes());
    const auto text = read_string(reader, damaged);
    CHECK(reader.ok());
    CHECK(reader.remaining() == 0);
    return text;
}

// Gives this process a time zone for as long as it lives.
class TimeZone {
  public:
    explicit TimeZone(const char* zone) {
        if (const char* before = std::getenv("TZ")) {
            before_ = before;
        }
        ::setenv("TZ", zone, 1);
        ::tzset();
    }
    ~TimeZone() {
        before_ ? ::setenv("TZ", before_->c_str(), 1) : ::unsetenv("TZ");
        ::tzset();
    }
    TimeZone(const TimeZone&) = delete;
    TimeZone& operator=(const TimeZone&) = delete;

  private:
    std::optional<std::string> before_;
};

using namespace std::string_view_literals;

}  // namespace

TEST_CASE("strings become UTF-8") {
    CHECK(read_units({}) == "");
    CHECK(read_units(u"a\0"sv) == "a");
    CHECK(read_units(u"J\u00fcrgen \u20ac \U0001F3B5\0"sv) == "J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x8e\xb5");
    CHECK(read_units(u"\u007f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff\0"sv) ==
          "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
    CHECK(read_units(u"AC/DC\0"sv) == "AC/DC");  // what a name may be is for others to say
    CHECK(read_units(std::u16string(255, u'x')) == std::string(255, 'x'));
}

TEST_CASE("strings end at a null or at their count") {
    CHECK(read_units(u"no null"sv) == "no null");
    CHECK(read_units(u"first\0second\0"sv) == "first");
    CHECK(read_units(u"\0"sv) == "");
    CHECK(read_units(u"\0hidden\0"sv) == "");
}

TEST_CASE("units that are no UTF-16 become U+FFFD, and are reported") {
    const std::string bad = "\xef\xbf\xbd";
    const std::vector<std::pair<std::u16string, std::string>> cases = {
        {{0xD800}, bad},
        {{0xDBFF, u'a'}, bad + "a"},
        {{u'a', 0xDC00, u'b'}, "a" + bad + "b"},
        {{0xDFFF}, bad},
        {{0xD800, 0xD800, 0xDC00}, bad + "\xf0\x90\x80\x80"},
        {{0xDC00, 0xD800}, bad + bad},
        {{0xD800, 0}, bad},
        {{u'a', 0xD83C}, "a" + bad},
    };
    for (const auto& item : cases) {
        const auto& units = item.first;
        const std::string& text = item.second;
        CAPTURE(text);
        bool damaged = false;
        CHECK(read_units(units, &damaged) == text);
        CHECK(damaged);
        CHECK(read_units(units) == text);
    }
    bool damaged = false;
    (void)read_units(u"\U0001F3B5 \uFFFD", &damaged);
    CHECK_FALSE(damaged);
}

TEST_CASE("a string that passes the end fails the reader, at whichever byte it is cut") {
    ByteWriter whole;
    put_string(whole, u"name\U0001F3B5");
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CAPTURE(length);
        const std::vector<std::byte> part(whole.bytes().begin(),
                                          whole.bytes().begin() + static_cast<std::ptrdiff_t>(length));
        ByteReader reader(part);
        CHECK(read_string(reader).empty());
        CHECK_FALSE(reader.ok());
    }
}

TEST_CASE("arrays, and counts that are larger than what follows") {
    for (const std::uint32_t count : {0U, 1U, 3U}) {
        ByteWriter out;
        out.u32le(count);
        for (std::uint32_t i = 0; i < 6; ++i) {
            out.u16le(static_cast<std::uint16_t>(i + 1));
        }
        ByteReader narrow(out.bytes());
        const auto numbers_16 = read_array_16(narrow);
        CHECK(numbers_16.size() == count);
        CHECK(narrow.remaining() == 12 - 2 * count);
        ByteReader wide(out.bytes());
        const auto numbers_32 = read_array_32(wide);
        CHECK(numbers_32.size() == count);
        if (count == 3) {
            CHECK(numbers_16 == std::vector<std::uint16_t>{1, 2, 3});
            CHECK(numbers_32 == std::vector<std::uint32_t>{0x20001, 0x40003, 0x60005});
        }
    }
    for (const std::uint32_t count : {7U, 0x3FFFFFFFU, 0x40000000U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
        CAPTURE(count);
        ByteWriter out;
        out.u32le(count);
        out.u64le(0);
        out.u32le(0);
        ByteReader narrow(out.bytes());
        CHECK(read_array_16(narrow).empty());
        CHECK_FALSE(narrow.ok());
        ByteReader wide(out.bytes());
        CHECK(read_array_32(wide).empty());
        CHECK_FALSE(wide.ok());
    }
}

TEST_CASE("dates with a zone are moments") {
    CHECK(parse_date_time("19700101T000000Z") == 0);
    CHECK(parse_date_time("20240229T123456Z") == 1709210096);
    CHECK(parse_date_time("20240229T123456.7Z") == 1709210096);
    CHECK(parse_date_time("20240229T133456+0100") == 1709210096);
    CHECK(parse_date_time("20240229T133456.0+0100") == 1709210096);
    CHECK(parse_date_time("20240229T070456-0530") == 1709210096);
    CHECK(parse_date_time("19691231T235959Z") == -1);
    CHECK(parse_date_time("20380119T031408Z") == 2147483648);
    CHECK(parse_date_time("99991231T235959Z") == 253402300799);
    CHECK(parse_date_time("20161231T235960Z") == parse_date_time("20170101T000000Z"));  // a leap second
}

TEST_CASE("dates without a zone are this machine's local time") {
    const TimeZone zone("TEST-5:30");
    CHECK(parse_date_time("19700101T053000") == 0);
    CHECK(parse_date_time("19700101T053000.9") == 0);
    CHECK(parse_date_time("19700101T052959") == -1);  // which mktime() also returns for an error
    CHECK(parse_date_time("20240229T180456") == 1709210096);
    CHECK(parse_date_time("20240229T123456Z") == 1709210096);
}

TEST_CASE("what is no date is none") {
    for (const char* text : {"",
                             "T",
                             "Z",
                             "20240229",
                             "20240229T1234",
                             "20240229T12345",
                             "20240229 123456",
                             "20240229t123456Z",
                             "20230229T123456Z",
                             "20241301T123456Z",
                             "20240001T123456Z",
                             "20240100T123456Z",
                             "20240431T123456Z",
                             "20240229T243456Z",
                             "20240229T126056Z",
                             "20240229T123461Z",
                             "2024-2-2T123456Z",
                             "20240229T-0-0-0Z",
                             "20240229T+1+1+1Z",
                             "+0240229T123456Z",
                             "20240229T 1 2 3Z",
                             "00000000T000000",
                             "2024022\xc3\xa9T123456Z",
                             "20240229T123456+",
                             "20240229T123456+1",
                             "20240229T123456+01",
                             "20240229T123456+010",
                             "20240229T123456+1500",
                             "20240229T123456+0160",
                             "20240229T123456-2400",
                             "20240229T123456+-100"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_date_time(text));
    }
    CHECK_FALSE(parse_date_time(std::string(300, '9')));
    CHECK_FALSE(parse_date_time(std::string("20240229T123456\0+9900", 21)));
}

TEST_CASE("values of every type are skipped by their width") {
    const std::vector<std::pair<int, std::size_t>> widths = {{1, 1}, {2, 1}, {3, 2}, {4, 2},  {5, 4},
                                                             {6, 4}, {7, 8}, {8, 8}, {9, 16}, {10, 16}};
    for (const auto& item : widths) {
        const int type = item.first;
        const std::size_t width = item.second;
        CAPTURE(type);
        std::vector<std::byte> bytes(width);
        ByteReader single(bytes);
        CHECK(skip_value(single, static_cast<std::uint16_t>(type)));
        CHECK(single.remaining() == 0);
        bytes.pop_back();
        ByteReader cut(bytes);
        CHECK_FALSE(skip_value(cut, static_cast<std::uint16_t>(type)));
        ByteWriter array;
        array.u32le(3);
        array.append(std::vector<std::byte>(3 * width + 1));
        ByteReader three(array.bytes());
        CHECK(skip_value(three, static_cast<std::uint16_t>(type | data_type::array_flag)));
        CHECK(three.remaining() == 1);
        for (const std::uint32_t count : {4U + static_cast<std::uint32_t>(width == 1), 0x10000000U, 0xFFFFFFFFU}) {
            ByteWriter lying;
            lying.u32le(count);
            lying.append(std::vector<std::byte>(3 * width + 1));
            ByteReader reader(lying.bytes());
            CHECK_FALSE(skip_value(reader, static_cast<std::uint16_t>(type | data_type::array_flag)));
        }
    }
}

TEST_CASE("strings are skipped by their count, unknown types not at all") {
    ByteWriter out;
    put_string(out, u"four");
    out.u8(1);
    ByteReader reader(out.bytes());
    CHECK(skip_value(reader, data_type::string));
    CHECK(reader.remaining() == 1);
    CHECK_FALSE(skip_value(reader, data_type::string));  // a unit that is not there
    for (const int type : {0, 11, 0xFF, 0x3FFF, 0x4000, 0x400B, 0x8001, 0xC001, 0xFFFE}) {
        CAPTURE(type);
        const std::vector<std::byte> zeros(64);
        ByteReader unknown(zeros);
        CHECK_FALSE(skip_value(unknown, static_cast<std::uint16_t>(type)));
    }
}
