// Second names of entries, and the kit's own folders.

#include "kit/tree.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

struct LinkedTree {
    Tree tree;
    Node& music = *tree.add(tree.root(), {.key = 1, .name = "Music", .kind = Kind::directory})->node;
    Node& file = *tree.add(music, {.key = 2, .name = "a.mp3", .size = 5})->node;
    Node& view = tree.add_own(tree.root(), "tracks", Kind::directory, Content::view);
    Node& link = tree.add_link(view, "01 A.mp3", file);
    std::vector<std::string> gone;

    LinkedTree() {
        tree.link_goes = [this](const Node& node) { gone.push_back(node.parent->name + "/" + node.name); };
    }
};

struct Notes : TreeObserver {
    std::map<std::uint64_t, NodeNote> kept;
    void note(const NodeNote& note) override { kept[note.inode] = note; }
    void take_back(std::uint64_t inode) override { kept.erase(inode); }
};

}  // namespace

TEST_CASE("a link is the file itself under another name") {
    LinkedTree with;
    CHECK(&with.tree.resolved(with.link) == &with.file);
    CHECK(&with.tree.resolved(with.file) == &with.file);
    CHECK(with.file.links.size() == 1);
    // The same name once more is another link.
    Node& second = with.tree.add_link(with.view, "01 A.mp3", with.file);
    CHECK(second.name == "01 A (2).mp3");
    CHECK(with.file.links.size() == 2);
    with.tree.remove(second);
    CHECK(with.file.links.size() == 1);
    CHECK(with.gone.empty());
}

TEST_CASE("links go with their target, and with the folder that it lies in") {
    SUBCASE("the file") {
        LinkedTree with;
        with.tree.remove(with.file);
        CHECK(with.gone == std::vector<std::string>{"tracks/01 A.mp3"});
        CHECK(with.view.children.empty());
    }
    SUBCASE("the folder, while the kernel still knows the file") {
        LinkedTree with;
        with.tree.reference(with.file);
        const auto inode = with.file.inode;
        with.tree.remove(with.music);
        CHECK(with.gone.size() == 1);
        CHECK(with.view.children.empty());
        REQUIRE(with.tree.find(inode) != nullptr);
        CHECK(with.tree.find(inode)->links.empty());
    }
}

TEST_CASE("a file that is renamed keeps its links; one whose folder of links goes, too, has none") {
    LinkedTree with;
    REQUIRE(with.tree.move(with.file, with.tree.root(), {.key = 2, .name = "b.mp3", .size = 5}));
    CHECK(&with.tree.resolved(with.link) == &with.file);
    with.tree.remove(with.view);
    CHECK(with.file.links.empty());
    CHECK(with.gone.empty());
}

TEST_CASE("an own folder is made once, and steps aside for what is there") {
    LinkedTree with;
    CHECK(&with.tree.add_own(with.tree.root(), "tracks", Kind::directory, Content::view) == &with.view);
    CHECK(with.tree.add_own(with.tree.root(), "Music", Kind::directory, Content::view).name == "Music (2)");
    CHECK(with.tree.add_own(with.tree.root(), "Music", Kind::directory, Content::view).name == "Music (2)");
}

TEST_CASE("a successor is told of the folders of links, and of the files, not of the links") {
    Notes notes;
    std::uint64_t album_inode = 0;
    std::uint64_t file_inode = 0;
    {
        LinkedTree with;
        with.tree.observe(notes);
        Node& album = with.tree.add_own(with.view, "Album", Kind::directory, Content::view);
        Node& cover = with.tree.add_own(album, "cover.jpg", Kind::file, Content::attribute);
        with.tree.reference(cover);
        with.tree.reference(with.tree.resolved(with.link));
        album_inode = album.inode;
        file_inode = with.file.inode;
        CHECK(notes.kept.size() == 5);  // tracks, Album, cover.jpg; Music, a.mp3
    }
    std::vector<NodeNote> list;
    for (const auto& [inode, note] : notes.kept) {
        list.push_back(note);
    }
    Tree next;
    CHECK(next.restore(list) == 5);
    REQUIRE(next.find(album_inode) != nullptr);
    CHECK(next.find(album_inode)->content == Content::view);
    CHECK(next.find(album_inode)->bound);
    CHECK_FALSE(next.find(file_inode)->bound);
    Node& view = next.add_own(next.root(), "tracks", Kind::directory, Content::view);
    CHECK(next.add_own(view, "Album", Kind::directory, Content::view).inode == album_inode);
}

TEST_CASE("notes that put an own entry where it cannot be are left out") {
    const auto note = [](std::uint64_t inode, std::uint64_t parent, const char* name, Kind kind, Content content) {
        NodeNote made;
        made.inode = inode;
        made.parent = parent;
        made.name = name;
        made.kind = kind;
        made.content = content;
        return made;
    };
    Tree tree;
    CHECK(tree.restore({note(100, root_inode, "Music", Kind::directory, Content::driver),
                        note(101, 100, "view", Kind::directory, Content::view),
                        note(102, root_inode, "link", Kind::file, Content::link),
                        note(103, root_inode, "volume", Kind::file, Content::control),
                        note(104, root_inode, "controls", Kind::directory, Content::controls),
                        note(105, 104, "volume", Kind::file, Content::control),
                        note(106, root_inode, "tracks", Kind::directory, Content::view),
                        note(107, 106, "a.mp3", Kind::file, Content::driver)}) == 4);
    CHECK(tree.find(105) != nullptr);
}
