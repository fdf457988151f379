// TagMemory: what the tags of a device's files said, in the spool, where it outlives the process: a successor does not
// read thousands of files again.
//
// It is a log of records in one file of the spool. "Reading" stands there before a parser gets a file, "known" when it
// is done. A file that is found in "reading" has had the process die of it, or with it; after tries_limit of them it
// is left alone, so that one hostile file does not keep the others from being shown. When the log is full, it begins
// anew.
//
// What is in it was written by a process that has crashed: a record that is not whole ends it.
#pragma once

#include <plugfs/attributes.h>
#include <plugfs/spool.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace plugfs::library {

// A file as it was when its tags were read: with anything else than the same, it is another one.
struct FileIdentity {
    std::uint64_t volume = 0;  // a number of the driver's own that stays the same from process to process
    std::uint64_t place = 0;   // so does this one, as long as the file is where it is
    std::string name;
    std::uint64_t size = 0;
    std::optional<std::int64_t> modified;
};

class TagMemory {
  public:
    static constexpr std::uint64_t size_limit = std::uint64_t{16} << 20U;  // bytes of the log
    static constexpr std::size_t record_limit = std::size_t{32} << 10U;
    static constexpr unsigned tries_limit = 3;

    // `spool` must outlive it. Reads what a predecessor has left.
    explicit TagMemory(Spool& spool);

    // What is known of a file; nothing: it has to be read.
    [[nodiscard]] std::optional<std::vector<Attribute>> find(const FileIdentity& file);
    // It is about to be read. False: too many processes have died while they did; it is not to be tried again.
    [[nodiscard]] bool begin(const FileIdentity& file);
    // It has been read, and this is what it says.
    void keep(const FileIdentity& file, const std::vector<Attribute>& attributes);
    // It could not be read, or has been written to.
    void forget(std::uint64_t volume, std::uint64_t place);
    void forget_all();

    // Whether the device was seen to have music; that is remembered, too.
    [[nodiscard]] bool music() const { return music_; }
    void set_music();

    [[nodiscard]] std::size_t size() const { return known_.size(); }

  private:
    struct Place {
        std::uint64_t volume = 0;
        std::uint64_t number = 0;
        bool operator==(const Place&) const = default;
    };
    struct PlaceHash {
        std::size_t operator()(const Place& place) const;
    };
    struct Known {
        std::uint32_t details = 0;  // checksum of name, size and time
        unsigned tries = 0;
        std::uint64_t offset = 0;  // of its record "known"
        std::uint32_t length = 0;  // of that record; 0: there is none
    };
    using Bytes = std::vector<std::byte>;

    void load();
    [[nodiscard]] bool take_in(std::uint64_t offset, std::span<const std::byte> body);
    // Where the body of the new record lies; nothing: the spool takes no more.
    std::optional<std::uint64_t> append(const Bytes& body);

    Spool& spool_;
    std::optional<Spool::Id> id_;
    std::uint64_t end_ = 0;   // of the records
    std::uint64_t room_ = 0;  // size of the file
    std::unordered_map<Place, Known, PlaceHash> known_;
    bool music_ = false;
};

}  // namespace plugfs::library
