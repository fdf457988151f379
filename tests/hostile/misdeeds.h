// Misdeeds: what a hostile driver can do with what it has been given: the control socket, the log, the vault, the
// spool, memory. They cannot be denied; what matters is that nobody else is harmed.
#pragma once

#include <plugfs/driver.h>

#include <functional>
#include <string>
#include <vector>

namespace plugfs::hostile {

struct Misdeed {
    std::string name;  // of the file whose reading commits it
    std::function<Result<void>(Host&)> commit;
};

std::vector<Misdeed> all_misdeeds();

}  // namespace plugfs::hostile
