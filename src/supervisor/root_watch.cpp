#include "supervisor/root_watch.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace plugfs {

namespace {

constexpr std::chrono::milliseconds interval{500};

// What the kernel knows of it; nobody is asked, so there is nobody to wait for.
bool is_broken(const std::string& mount_point) {
    struct statx status {};
    return ::statx(AT_FDCWD, mount_point.c_str(), AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                   STATX_TYPE, &status) != 0 &&
           errno == EIO;
}

}  // namespace

void RootWatch::begin(const std::string& mount_point, std::function<void()> broken) {
    end();
    mount_point_ = mount_point;
    broken_ = std::move(broken);
    timer_ = loop_.after(interval, [this] { check(); });
}

void RootWatch::end() {
    loop_.cancel(std::exchange(timer_, 0));
}

void RootWatch::check() {
    timer_ = 0;
    if (is_broken(mount_point_)) {
        broken_();
    } else {
        timer_ = loop_.after(interval, [this] { check(); });
    }
}

}  // namespace plugfs
