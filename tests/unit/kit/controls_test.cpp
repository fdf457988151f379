#include <plugfs/controls.h>

#include <doctest/doctest.h>

using namespace plugfs;

namespace {

Control number(std::int64_t minimum, std::int64_t maximum, std::int64_t step = 1) {
    return {.name = "volume", .type = Control::Type::number, .minimum = minimum, .maximum = maximum, .step = step};
}

std::string parsed(const Control& control, std::string_view text) {
    const auto value = parse_control_value(control, text);
    return value ? *value : "error " + std::to_string(value.error().code);
}
const std::string invalid = "error " + std::to_string(EINVAL);

}  // namespace

TEST_CASE("numbers: their plain form, within the range, on the step") {
    CHECK(parsed(number(0, 100), "5\n") == "5");
    CHECK(parsed(number(0, 100), "  007 ") == "7");
    CHECK(parsed(number(0, 100), "+9") == "9");
    CHECK(parsed(number(-5, 5), "-5") == "-5");
    CHECK(parsed(number(0, 100), "101") == invalid);
    CHECK(parsed(number(0, 100), "-1") == invalid);
    CHECK(parsed(number(0, 100), "5 6") == invalid);
    CHECK(parsed(number(0, 100), "5.0") == invalid);
    CHECK(parsed(number(0, 100), "0x5") == invalid);
    CHECK(parsed(number(0, 100), "") == invalid);
    CHECK(parsed(number(0, 100), "99999999999999999999") == invalid);
    CHECK(parsed(number(10, 100, 15), "25") == "25");
    CHECK(parsed(number(10, 100, 15), "26") == invalid);
    CHECK(parsed(number(10, 98, 15), "98") == "98");  // the end itself is allowed, as devices say it
    CHECK(parsed(number(INT64_MIN, INT64_MAX, 2), "9223372036854775807") == "9223372036854775807");
}

TEST_CASE("choices and texts") {
    const Control choice{.name = "mode", .type = Control::Type::choice, .choices = {"auto", "manual"}};
    CHECK(parsed(choice, "manual\n") == "manual");
    CHECK(parsed(choice, "Manual") == invalid);
    CHECK(parsed(choice, "") == invalid);
    const Control text{.name = "friendly-name", .type = Control::Type::text, .longest = 5};
    CHECK(parsed(text, "abcde\n") == "abcde");
    CHECK(parsed(text, "\n") == "");
    CHECK(parsed(text, "abcdef") == invalid);
    CHECK(parsed(text, "a\nb") == invalid);
    CHECK(parsed(text, "a\x1b[") == invalid);
}

TEST_CASE("what is refused is told with what is allowed") {
    const auto detail = [](const Control& control, std::string_view text) {
        return parse_control_value(control, text).error().text();
    };
    CHECK(detail(number(0, 100, 5), "loud").find("\"loud\" is not a number from 0 to 100 in steps of 5") !=
          std::string::npos);
    const Control choice{.name = "mode", .type = Control::Type::choice, .choices = {"auto", "manual"}};
    CHECK(detail(choice, "x").find("one of: auto, manual") != std::string::npos);
    CHECK(detail({.name = "n", .longest = 3}, "abcd").find("at most 3 bytes") != std::string::npos);
    CHECK(allowed_values(number(INT64_MIN, INT64_MAX)) == "a number");
}
