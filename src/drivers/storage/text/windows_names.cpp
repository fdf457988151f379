#include "drivers/storage/text/windows_names.h"

#include "drivers/storage/text/utf16.h"

#include <plugfs/driver.h>

#include <algorithm>

namespace plugfs::storage {

Result<void> check_windows_name(const std::u16string& name, const std::string& type,
                                std::u16string_view also_forbidden) {
    constexpr std::u16string_view forbidden = u"\"*/:<>?\\|";
    if (name.empty() || name == u"." || name == u"..") {
        return fail(EINVAL, "name", "it is none");
    }
    if (name.size() > windows_name_limit) {
        return fail(ENAMETOOLONG, "name", std::to_string(name.size()) + " UTF-16 units, 255 at most");
    }
    const bool has_bad = std::any_of(name.begin(), name.end(), [&](char16_t unit) {
        return unit < 0x20 || forbidden.find(unit) != std::u16string_view::npos ||
               also_forbidden.find(unit) != std::u16string_view::npos;
    });
    if (has_bad) {
        return fail(EINVAL, "name", quoted(to_utf8(name)) + " has a character that " + type + " does not allow");
    }
    // exFAT has them, but Windows could never open such a file.
    if (name.back() == u'.' || name.back() == u' ') {
        return fail(EINVAL, "name", quoted(to_utf8(name)) + " ends in a dot or a space, which Windows does not allow");
    }
    return {};
}

}  // namespace plugfs::storage
