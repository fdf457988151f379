// From libfuse's C functions to Filesystem's. Exceptions end here: the only one left is bad_alloc, which becomes
// ENOMEM.

#include "kit/filesystem/filesystem.h"

#include <new>

namespace plugfs::kit {

namespace {

template <class Function>
void guarded(fuse_req_t request, const Function& function) {
    try {
        function(Session::client_of<Filesystem>(request));
    } catch (const std::bad_alloc&) {
        fuse_reply_err(request, ENOMEM);
    }
}

}  // namespace

struct Operations {
    static void init(void* self, fuse_conn_info* connection) {
        static_cast<Session*>(self)->client<Filesystem>().initialise(*connection);
    }
    static void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
        guarded(request, [&](Filesystem& fs) { fs.lookups_.lookup(request, parent, name); });
    }
    static void forget(fuse_req_t request, fuse_ino_t inode, uint64_t count) {
        Session::client_of<Filesystem>(request).core_.tree.forget(inode, count);
        fuse_reply_none(request);
    }
    static void forget_multi(fuse_req_t request, size_t count, fuse_forget_data* forgets) {
        for (size_t i = 0; i < count; ++i) {
            Session::client_of<Filesystem>(request).core_.tree.forget(forgets[i].ino, forgets[i].nlookup);
        }
        fuse_reply_none(request);
    }
    static void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*info*/) {
        guarded(request, [&](Filesystem& fs) { fs.lookups_.get_attributes(request, inode); });
    }
    static void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
        guarded(request, [&](Filesystem& fs) { fs.open(request, inode, *info); });
    }
    static void release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
        guarded(request, [&](Filesystem& fs) { fs.release(request, inode, *info); });
    }
    static void read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* info) {
        guarded(request,
                [&](Filesystem& fs) { fs.read(request, inode, size, static_cast<std::uint64_t>(offset), *info); });
    }
    static void poll(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info, fuse_pollhandle* handle) {
        guarded(request, [&](Filesystem& fs) { fs.poll(request, inode, *info, handle); });
    }
    static void opendir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
        guarded(request, [&](Filesystem& fs) { fs.lookups_.open_folder(request, inode, *info); });
    }
    static void releasedir(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* /*info*/) {
        fuse_reply_err(request, 0);
    }
    static void readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* /*info*/) {
        guarded(request, [&](Filesystem& fs) {
            fs.lookups_.read_folder(request, inode, size, static_cast<std::uint64_t>(offset), false);
        });
    }
    static void readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* /*info*/) {
        guarded(request, [&](Filesystem& fs) {
            fs.lookups_.read_folder(request, inode, size, static_cast<std::uint64_t>(offset), true);
        });
    }
    static void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t /*mode*/, fuse_file_info* info) {
        guarded(request, [&](Filesystem& fs) { fs.names_.create(request, parent, name, *info); });
    }
    static void mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t /*mode*/) {
        guarded(request, [&](Filesystem& fs) { fs.names_.make_folder(request, parent, name); });
    }
    static void unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
        guarded(request, [&](Filesystem& fs) { fs.names_.remove(request, parent, name, Kind::file); });
    }
    static void rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
        guarded(request, [&](Filesystem& fs) { fs.names_.remove(request, parent, name, Kind::directory); });
    }
    static void rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t target_parent,
                       const char* target_name, unsigned flags) {
        guarded(request,
                [&](Filesystem& fs) { fs.names_.rename(request, parent, name, target_parent, target_name, flags); });
    }
    static void write(fuse_req_t request, fuse_ino_t inode, const char* bytes, size_t size, off_t offset,
                      fuse_file_info* info) {
        guarded(request, [&](Filesystem& fs) {
            fs.write(request, inode, std::string_view(bytes, size), static_cast<std::uint64_t>(offset), info->fh);
        });
    }
    static void setattr(fuse_req_t request, fuse_ino_t inode, struct stat* wanted, int which, fuse_file_info* info) {
        guarded(request, [&](Filesystem& fs) {
            fs.writer_.set_attributes(request, inode, *wanted, static_cast<unsigned>(which), info != nullptr);
        });
    }
    static void flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*info*/) {
        guarded(request, [&](Filesystem& fs) { fs.flush(request, inode, true); });
    }
    static void fsync(fuse_req_t request, fuse_ino_t inode, int /*data_only*/, fuse_file_info* /*info*/) {
        guarded(request, [&](Filesystem& fs) { fs.flush(request, inode, false); });
    }
    static void copy_file_range(fuse_req_t request, fuse_ino_t source, off_t from, fuse_file_info* /*source_info*/,
                                fuse_ino_t inode, off_t to, fuse_file_info* /*info*/, size_t size, int flags) {
        guarded(request, [&](Filesystem& fs) {
            if (from != 0 || to != 0 || flags != 0) {
                fuse_reply_err(request, EOPNOTSUPP);  // only whole files
            } else {
                fs.writer_.copy(request, source, inode, size);
            }
        });
    }
    static void getxattr(fuse_req_t request, fuse_ino_t inode, const char* name, size_t room) {
        guarded(request, [&](Filesystem& fs) { fs.attributes_.get(request, inode, name, room); });
    }
    static void listxattr(fuse_req_t request, fuse_ino_t inode, size_t room) {
        guarded(request, [&](Filesystem& fs) { fs.attributes_.list(request, inode, room); });
    }
    static void setxattr(fuse_req_t request, fuse_ino_t inode, const char* name, const char* value, size_t size,
                         int flags) {
        guarded(request,
                [&](Filesystem& fs) { fs.attributes_.set(request, inode, name, std::string(value, size), flags); });
    }
    static void removexattr(fuse_req_t request, fuse_ino_t inode, const char* name) {
        guarded(request, [&](Filesystem& fs) { fs.attributes_.set(request, inode, name, std::nullopt, 0); });
    }
    static void statfs(fuse_req_t request, fuse_ino_t /*inode*/) {
        guarded(request, [&](Filesystem& fs) { fs.statistics(request); });
    }
};

const fuse_lowlevel_ops& Filesystem::operations() {
    static const fuse_lowlevel_ops table = [] {
        fuse_lowlevel_ops ops{};
        ops.init = Operations::init;
        ops.lookup = Operations::lookup;
        ops.forget = Operations::forget;
        ops.forget_multi = Operations::forget_multi;
        ops.getattr = Operations::getattr;
        ops.open = Operations::open;
        ops.release = Operations::release;
        ops.read = Operations::read;
        ops.poll = Operations::poll;
        ops.opendir = Operations::opendir;
        ops.releasedir = Operations::releasedir;
        ops.readdir = Operations::readdir;
        ops.readdirplus = Operations::readdirplus;
        ops.statfs = Operations::statfs;
        ops.create = Operations::create;
        ops.mkdir = Operations::mkdir;
        ops.unlink = Operations::unlink;
        ops.rmdir = Operations::rmdir;
        ops.rename = Operations::rename;
        ops.write = Operations::write;
        ops.setattr = Operations::setattr;
        ops.flush = Operations::flush;
        ops.fsync = Operations::fsync;
        ops.copy_file_range = Operations::copy_file_range;
        ops.getxattr = Operations::getxattr;
        ops.listxattr = Operations::listxattr;
        ops.setxattr = Operations::setxattr;
        ops.removexattr = Operations::removexattr;
        return ops;
    }();
    return table;
}

}  // namespace plugfs::kit
