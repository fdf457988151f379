#include "drivers/storage/tools.h"

#include "drivers/storage/open_volume.h"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <regex>
#include <sstream>

namespace plugfs::test {

using storage::Volume;

Output run(const std::string& command) {
    Output out;
    std::FILE* pipe = ::popen(("export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8; " + command + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> buffer{};
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
        out.text.append(buffer.data(), got);
    }
    const int status = ::pclose(pipe);
    out.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return out;
}

std::string must_run(const std::string& command) {
    auto out = run(command);
    INFO(command << ": " << out.text);
    REQUIRE(out.status == 0);
    return out.text;
}

bool have_tool(const std::string& name) {
    return run("command -v " + name).status == 0;
}

std::filesystem::path make_image(const std::filesystem::path& path, std::uint64_t size) {
    std::ofstream(path, std::ios::binary | std::ios::trunc);
    std::filesystem::resize_file(path, size);
    return path;
}

namespace {

// Lines that say nothing about the state of the volume.
bool is_chatter(const std::string& line) {
    static const std::regex chatter(
        R"(^fsck\.fat .*|^exfatprogs version.*|^.*: clean\..*|^.*: \d+ files, \d+/\d+ clusters$|^\s*$)"
        R"(|^Leaving filesystem unchanged\.$|^\s*Auto-cor.*|^\s*Not auto.*|^checking .*|^.*: checking .*)"
        R"(|^e2fsck \d.*|^Pass \d.*: .*|^.*: \d+/\d+ files .*)");
    return std::regex_match(line, chatter);
}

bool is_harmless(const std::string& line) {
    static const std::regex harmless(
        R"(^Dirty bit is set\..*|^\s*Automatically removing dirty bit\.|^There are differences between boot sector.*)"
        R"(|^This is mostly harmless.*|^Differences: .*|^\s*\d+:[0-9a-f/]+.*|^\s*65:01/00$)"
        R"(|^Free cluster summary .*|^Reclaimed \d+ unused clusters? .*|^FATs differ.*|^\s*Using first FAT.*)"
        R"(|^\s*Not automatically fixing this\.|^Orphaned long file name part.*|^\s*Auto-deleting\.)"
        R"(|^ERROR: .*: more clusters are allocated\. truncate to .*|^.*: corrupted\. directories \d+, files \d+$)"
        R"(|.*files corrupted.*files fixed.*|^.*: dirty\..*)");
    return std::regex_match(line, harmless);
}

std::string keep_lines(const std::string& text, const std::function<bool(const std::string&)>& keep) {
    std::istringstream lines(text);
    std::string out;
    for (std::string line; std::getline(lines, line);) {
        if (keep(line)) {
            out += line + "\n";
        }
    }
    return out;
}

bool is_ext(const std::string& type) {
    return type.rfind("ext", 0) == 0;
}

Output check(const std::filesystem::path& image, const std::string& type) {
    const std::string quoted_path = "'" + image.string() + "'";
    if (is_ext(type)) {
        return run("e2fsck -fn " + quoted_path);
    }
    return run(type == "exFAT" ? "fsck.exfat -n " + quoted_path : "fsck.fat -n " + quoted_path);
}

}  // namespace

std::string fsck(const std::filesystem::path& image, const std::string& type) {
    const auto out = check(image, type);
    auto findings = keep_lines(out.text, [](const std::string& line) { return !is_chatter(line); });
    return findings.empty() && out.status != 0 ? "status " + std::to_string(out.status) + ": " + out.text : findings;
}

namespace {

// What e2fsck -fn says of inodes and blocks that belong to nobody, and of counts that are too large because of them. An
// inode that is in use and free (+) is none of a file unless it is unattached, too.
std::string ext_after_cut(const std::string& text) {
    static const std::regex harmless(
        R"(^Unattached (zero-length )?inode \d+.*|^Connect to /lost\+found\? no|^\s*Fix\? no|^\s*Clear\? no)"
        R"(|^Inode \d+ ref count is \d+, should be \d+\..*|^(Block|Inode) bitmap differences: ( -[-\d()]+)+.*)"
        R"(|^Free (blocks|inodes) count wrong.*|^Directories count wrong for group.*|.*\*{10} WARNING: Filesystem.*)"
        R"(|^Unconnected directory inode \d+.*|^'\.\.' in .* should be <The NULL inode>.*|^\s*$)"
        R"(|^Inode \d+, i_blocks is \d+, should be \d+\..*|^.* is not cleanly unmounted.*|.* contains a file system with.*)"
        R"(|^Padding at end of inode bitmap is not set.*|^Pass 3A: .*)"
        // Blocks with a checksum of their own, of which a part arrived: nothing in them is wrong.
        R"(|^Directory inode \d+, block #\d+.*: directory passes checks but fails checksum\.|^Fix\? no)"
        R"(|^.*Group \d+ (block|inode) bitmap does not match checksum\.|^IGNORED\.)"
        R"(|^Inode \d+, i_size is \d+, should be \d+\..*)");
    const std::regex used(R"(Inode bitmap differences:( [-+][-\d()]+)+)");
    const std::regex plus(R"(\+\(?(\d+))");
    return keep_lines(text, [&](const std::string& line) {
        if (is_chatter(line) || std::regex_match(line, harmless)) {
            return false;
        }
        if (!std::regex_search(line, used) || line.rfind("Inode", 0) != 0) {
            return true;
        }
        for (std::sregex_iterator at(line.begin(), line.end(), plus), end; at != end; ++at) {
            const std::regex alone("(Unattached (zero-length )?inode|Unconnected directory inode) " + (*at)[1].str() +
                                   "\\b");
            if (!std::regex_search(text, alone)) {
                return true;
            }
        }
        return false;
    });
}

}  // namespace

std::string fsck_after_cut(const std::filesystem::path& image, const std::string& type) {
    if (is_ext(type)) {
        return ext_after_cut(check(image, type).text);
    }
    // Three lines: the path, the lengths, what would be done.
    static const std::regex longer(
        R"([^\n]*\n  File size is \d+ bytes, cluster chain length is > \d+ bytes\.\n  Truncating file to \d+ bytes\.\n)");
    return keep_lines(std::regex_replace(check(image, type).text, longer, ""),
                      [](const std::string& line) { return !is_chatter(line) && !is_harmless(line); });
}

std::string repair_ext(const std::filesystem::path& image) {
    const auto out = run("e2fsck -fy '" + image.string() + "'");
    return out.status <= 1 ? "" : out.text;
}

std::vector<Entry> list_folder(Volume& volume, Key folder) {
    std::vector<Entry> out;
    std::uint64_t cursor = 0;
    do {
        auto part = volume.list(folder, cursor);
        REQUIRE_MESSAGE(part.ok(), (part ? "" : part.error().text()));
        out.insert(out.end(), part->entries.begin(), part->entries.end());
        cursor = part->next;
    } while (cursor != 0);
    return out;
}

std::optional<Entry> find_entry(Volume& volume, Key folder, const std::string& name) {
    for (auto& entry : list_folder(volume, folder)) {
        if (entry.name == name) {
            return entry;
        }
    }
    return std::nullopt;
}

std::string read_file(Volume& volume, const Entry& entry) {
    constexpr std::size_t piece = 1U << 20U;
    std::string out(entry.size, '\0');
    for (std::size_t at = 0; at < out.size();) {
        const auto got = volume.read(
            entry.key, at, std::as_writable_bytes(std::span(out)).subspan(at, std::min(piece, out.size() - at)));
        REQUIRE_MESSAGE(got.ok(), (got ? "" : got.error().text()));
        REQUIRE(*got > 0);
        at += *got;
    }
    return out;
}

void write_file(Volume& volume, Key file, std::uint64_t offset, const std::string& text) {
    const auto done = volume.write(file, offset, std::as_bytes(std::span(text)));
    REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().text()));
}

std::string pattern(std::size_t size, unsigned seed) {
    std::string out(size, '\0');
    std::uint32_t state = seed * 2654435761U + 1;
    for (auto& c : out) {
        state = state * 1664525U + 1013904223U;
        c = static_cast<char>(state >> 24U);
    }
    return out;
}

namespace {

void read_tree_below(Volume& volume, Key folder, const std::string& path, Tree& tree) {
    for (const auto& entry : list_folder(volume, folder)) {
        if (entry.kind == Kind::directory) {
            tree[path + entry.name + "/"] = "";
            read_tree_below(volume, entry.key, path + entry.name + "/", tree);
        } else {
            tree[path + entry.name] = read_file(volume, entry);
        }
    }
}

}  // namespace

Tree read_tree(Volume& volume) {
    Tree tree;
    read_tree_below(volume, root_key, "", tree);
    tree.erase("lost+found/");  // ext has it from the beginning
    return tree;
}

std::unique_ptr<Volume> open_image(storage::BlockDevice& device, std::vector<std::string>* lines,
                                   storage::VolumeOptions options) {
    auto volume = storage::open_volume(device, options, [lines](LogLevel, const std::string& line) {
        if (lines != nullptr) {
            lines->push_back(line);
        }
    });
    REQUIRE_MESSAGE(volume.ok(), (volume ? "" : volume.error().text()));
    return std::move(*volume);
}

Tree write_small_tree(Volume& volume) {
    const std::string big = pattern(300'000, 1);
    const auto file = volume.create(root_key, "Ein langer Name mit Ümlaut.txt", Kind::file);
    REQUIRE(file.ok());
    write_file(volume, file->key, 0, "hello\n");
    const auto folder = volume.create(root_key, "Music", Kind::directory);
    REQUIRE(folder.ok());
    const auto inner = volume.create(folder->key, "track.mp3", Kind::file);
    REQUIRE(inner.ok());
    write_file(volume, inner->key, 0, big);
    REQUIRE(volume.flush(inner->key).ok());
    REQUIRE(volume.settle().ok());
    return {{"Ein langer Name mit Ümlaut.txt", "hello\n"}, {"Music/", ""}, {"Music/track.mp3", big}};
}

void save_file(const std::filesystem::path& path, const std::string& content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
}

std::string load_file(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

unsigned explore(storage::BlockDevice& device) {
    unsigned lines = 0;
    auto volume = storage::open_volume(device, {}, [&lines](LogLevel, const std::string&) { ++lines; });
    std::vector<Entry> all = {{.key = root_key, .name = "", .kind = Kind::directory}};
    for (std::size_t i = 0; volume && i < all.size() && i < 100; ++i) {
        std::string out(5000, '?');
        if (all[i].kind == Kind::file) {
            const auto got = (*volume)->read(all[i].key, 0, std::as_writable_bytes(std::span(out)));
            CHECK((!got || *got <= out.size()));
            continue;
        }
        if (const auto part = (*volume)->list(all[i].key, 0)) {
            all.insert(all.end(), part->entries.begin(), part->entries.end());
        }
    }
    return lines;
}

}  // namespace plugfs::test
