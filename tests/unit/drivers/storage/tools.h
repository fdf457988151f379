// Other people's tools, as judges: dosfstools, exfatprogs, e2fsprogs, mtools.
#pragma once

#include "drivers/storage/image_device.h"
#include "drivers/storage/volume.h"
#include "drivers/storage/volume_options.h"

#include <map>
#include <string>

namespace plugfs::test {

struct Output {
    int status = 0;
    std::string text;  // stdout and stderr
};
// A command line for the shell.
Output run(const std::string& command);
// The same; the test fails if the command does.
std::string must_run(const std::string& command);
[[nodiscard]] bool have_tool(const std::string& name);

// A sparse file of that many bytes.
std::filesystem::path make_image(const std::filesystem::path& path, std::uint64_t size);

// What fsck.fat -n, fsck.exfat -n or e2fsck -fn finds: empty if nothing.
std::string fsck(const std::filesystem::path& image, const std::string& type);
// The same without what a pulled cable may leave: clusters that belong to nobody or to a file beyond its end, the mark
// that the volume was being changed, hints that are out of date.
std::string fsck_after_cut(const std::filesystem::path& image, const std::string& type);
// e2fsck -fy; empty: everything has been put right.
std::string repair_ext(const std::filesystem::path& image);

// All of a volume: paths of files with their content, paths of folders (with a slash at the end) with nothing; without
// an empty lost+found.
using Tree = std::map<std::string, std::string>;
Tree read_tree(storage::Volume& volume);
std::vector<Entry> list_folder(storage::Volume& volume, Key folder);
std::optional<Entry> find_entry(storage::Volume& volume, Key folder, const std::string& name);
std::string read_file(storage::Volume& volume, const Entry& entry);
void write_file(storage::Volume& volume, Key file, std::uint64_t offset, const std::string& text);
// Bytes that tell where they belong.
std::string pattern(std::size_t size, unsigned seed);

// What a test of a new volume begins with: a file with a long name, and one in a folder; returns what read_tree()
// gives.
Tree write_small_tree(storage::Volume& volume);

// The file of that name with its folders; and what is in one.
void save_file(const std::filesystem::path& path, const std::string& content);
std::string load_file(const std::filesystem::path& path);

// Opens what is there, whatever it is, lists a hundred folders and reads the beginning of their files; the test fails
// if an answer breaks the contract of Volume. Returns how many lines were reported.
unsigned explore(storage::BlockDevice& device);

// Opens; the lines that were reported are added to `lines` if given.
std::unique_ptr<storage::Volume> open_image(storage::BlockDevice& device, std::vector<std::string>* lines = nullptr,
                                            storage::VolumeOptions options = {});

}  // namespace plugfs::test
