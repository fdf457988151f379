// ControlsFolder: controls/, the device's controls as files; see plugfs/controls.h.
//
// The value is asked for when a reader begins at the start of the file; what follows is of the same value. The value
// that is set is the file's content after each write: so write(2) itself can say that it is not allowed. All of it may
// be done twice.
#pragma once

#include "kit/filesystem/core.h"
#include "kit/filesystem/folders.h"
#include "kit/filesystem/pollers.h"

#include <plugfs/driver.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace plugfs::kit {

// Its name in the device's folder.
inline constexpr std::string_view controls_name = "controls";

class ControlsFolder {
  public:
    // All must outlive this.
    ControlsFolder(FilesystemCore& core, Folders& folders, Pollers& pollers)
        : core_(core), folders_(folders), pollers_(pollers) {}

    // Asks the driver for its controls; Folders::ended() follows.
    void list(const Node& folder);
    // Until it is listed, it may.
    [[nodiscard]] bool may_set(const Node& node) const;
    // `handle`: which open file of the kernel's; until closed().
    void read(fuse_req_t request, Node& node, std::size_t size, std::uint64_t offset, std::uint64_t handle);
    void write(fuse_req_t request, Node& node, std::string_view bytes, std::uint64_t offset, std::uint64_t handle);
    void closed(std::uint64_t handle) { handles_.erase(handle); }
    // What poll(2) says: readable when the value has changed since it was read through this handle.
    [[nodiscard]] unsigned ready(const Node& node, std::uint64_t handle) const;

    // The device says so.
    void changed(const std::string& name);
    void list_again();

  private:
    struct Handle {
        std::optional<std::string> value;  // what a reader is being given
        std::uint64_t version = 0;         // of the node, when that was asked for
        std::string written;               // since the value began
    };
    struct Read {
        std::uint64_t handle = 0;
        std::uint64_t offset = 0;
        std::size_t size = 0;
    };
    struct Write {
        std::uint64_t inode = 0;
        std::uint64_t handle = 0;
        std::size_t count = 0;
    };
    using Work = std::function<void(WaitingRequests::Id, const Control&)>;
    void listed(Node& folder, const Result<std::vector<Control>>& list);
    void set_size(Node& node, std::uint64_t size);
    void with_control(fuse_req_t request, std::uint64_t inode, const char* what, Work work);
    void got(WaitingRequests::Id id, std::uint64_t inode, const Result<std::string>& value, const Read& read);
    void was_set(WaitingRequests::Id id, const Write& write, const Result<std::string>& result);

    FilesystemCore& core_;
    Folders& folders_;
    Pollers& pollers_;
    std::unordered_map<std::uint64_t, Control> controls_;  // by inode
    std::unordered_map<std::uint64_t, Handle> handles_;
};

}  // namespace plugfs::kit
