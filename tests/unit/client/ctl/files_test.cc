#include "client/ctl/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() {
    std::string pattern = ::testing::TempDir() + "filesXXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~FilesTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& content = "x") const { std::ofstream(Path(name)) << content; }

  std::string folder_;
};

TEST_F(FilesTest, AFolderIsItsImagesByName) {
  for (const char* name : {"b.png", "a.JPG", "notes.txt", "c.jpeg", ".png"}) Write(name);
  std::filesystem::create_directory(Path("inner"));
  std::filesystem::create_directory(Path("folder.png"));
  Write("inner/z.png");
  EXPECT_THAT(*ExpandFiles({folder_}), ElementsAre(Path("a.JPG"), Path("b.png"), Path("c.jpeg")));
}

TEST_F(FilesTest, APatternIsWhatItMatchesByName) {
  for (const char* name : {"b.png", "a.png", "c.jpg"}) Write(name);
  std::filesystem::create_directory(Path("d.png"));
  EXPECT_THAT(*ExpandFiles({Path("*.png")}), ElementsAre(Path("a.png"), Path("b.png")));
  EXPECT_THAT(*ExpandFiles({Path("[bc].*")}), ElementsAre(Path("b.png"), Path("c.jpg")));
}

TEST_F(FilesTest, AFileWithPatternCharactersIsItself) {
  Write("a[1].png");
  Write("a1.png");
  EXPECT_THAT(*ExpandFiles({Path("a[1].png")}), ElementsAre(Path("a[1].png")));
}

TEST_F(FilesTest, KeepsTheOrderOfArgumentsAndWhatIsMissing) {
  Write("a.png");
  EXPECT_THAT(*ExpandFiles({"missing.png", "-", Path("a.png"), "missing.png"}),
              ElementsAre("missing.png", "-", Path("a.png"), "missing.png"));
}

TEST_F(FilesTest, EmptyFoldersAndPatternsAreErrors) {
  Write("notes.txt");
  EXPECT_THAT(std::string(ExpandFiles({folder_}).status().message()),
              HasSubstr("no image files in folder '" + folder_));
  EXPECT_THAT(std::string(ExpandFiles({Path("*.png")}).status().message()), HasSubstr("no file matches"));
  EXPECT_EQ(ExpandFiles({"-", "-"}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FilesTest, ReadsBytesAndSaysWhyNot) {
  Write("a.png", "abc");
  Write("empty.png", "");
  EXPECT_EQ(*ReadImage(Path("a.png")), "abc");
  EXPECT_EQ(ReadImage(Path("empty.png")).status().message(), "the file is empty");
  EXPECT_EQ(ReadImage(Path("none.png")).status().message(), "cannot open the file: No such file or directory");
  EXPECT_EQ(ReadImage(folder_).status().message(), "cannot read the file: not a regular file");
}

TEST_F(FilesTest, TheSizeLimitHoldsForFilesAndDescriptors) {
  Write("big.png");
  std::filesystem::resize_file(Path("big.png"), kMaxImageBytes);
  EXPECT_EQ(ReadImage(Path("big.png"))->size(), static_cast<size_t>(kMaxImageBytes));
  std::filesystem::resize_file(Path("big.png"), kMaxImageBytes + 1);
  EXPECT_EQ(ReadImage(Path("big.png")).status().message(), "the file is larger than the limit of 12582912 bytes");
  FILE* file = fopen(Path("big.png").c_str(), "r");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(ReadImageFrom(fileno(file)).status().message(), "larger than the limit of 12582912 bytes");
  fclose(file);
}

TEST_F(FilesTest, ReadsWhatAShellPutsInPlaceOfAFile) {  // recognize <(cat img.png) gets /dev/fd/63
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "picture", 7), 7);
  close(ends[1]);
  EXPECT_EQ(*ReadImage("/dev/fd/" + std::to_string(ends[0])), "picture");
  close(ends[0]);
}

TEST_F(FilesTest, ADeviceWithoutEndStopsAtTheLimit) {
  EXPECT_EQ(ReadImage("/dev/zero").status().message(), "larger than the limit of 12582912 bytes");
}

TEST_F(FilesTest, ReadsAPipeToItsEnd) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "picture", 7), 7);
  close(ends[1]);
  EXPECT_EQ(*ReadImageFrom(ends[0]), "picture");
  close(ends[0]);
}

}  // namespace
}  // namespace digit
