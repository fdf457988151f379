// Where the installation has put things, found from where the program itself is: a prefix may be moved.
#pragma once

#include <string>

namespace plugfs {

[[nodiscard]] std::string installed_manifest_directory();              // <prefix>/share/plugfs/drivers.d
[[nodiscard]] std::string installed_driver_directory();                // <prefix>/libexec/plugfs
[[nodiscard]] std::string installed_program(const std::string& name);  // <prefix>/bin/NAME

}  // namespace plugfs
