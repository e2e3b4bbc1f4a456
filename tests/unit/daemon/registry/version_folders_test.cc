#include "daemon/registry/version_folders.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "daemon/registry/version_policy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

class VersionFoldersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-versions.XXXXXX";
    folder_ = mkdtemp(folder);
    fs::create_directories(folder_ + "/root");
  }
  void TearDown() override { fs::remove_all(folder_); }
  void Put(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(folder_ + "/root/" + path).parent_path());
    std::ofstream(folder_ + "/root/" + path) << text;
  }

  std::string folder_;
  const VersionFolders& folders() {
    folders_ = std::make_unique<VersionFolders>(folder_ + "/root");
    return *folders_;
  }
  std::unique_ptr<VersionFolders> folders_;
};

TEST_F(VersionFoldersTest, FindsNamesAndNumbers) {
  for (const char* path : {"mnist/2/model.pt", "mnist/10/model.pt", "mnist/007/model.pt", "mnist/x/model.pt",
                           "mnist/3/other.pt", "Bad Name/1/model.pt", "empty/readme"}) {
    Put(path, "x");
  }
  EXPECT_THAT(folders().Names(), ElementsAre("mnist"));
  EXPECT_THAT(folders().Versions("mnist"), ElementsAre(2, 10));
  EXPECT_THAT(folders().Versions("nobody"), IsEmpty());
  EXPECT_THAT(VersionFolders("").Names(), IsEmpty());
  EXPECT_THAT(VersionFolders(folder_ + "/nowhere").Names(), IsEmpty());
}

TEST_F(VersionFoldersTest, AVersionThatCannotBeLookedIntoIsNotThereYet) {
  Put("mnist/3/model.pt", "x");
  fs::create_symlink("4", folder_ + "/root/mnist/4");  // ELOOP, also for root; a folder of somebody else's: EACCES
  EXPECT_THAT(folders().Versions("mnist"), ElementsAre(3));
}

TEST_F(VersionFoldersTest, ReadsTheModelAndWhatIsBesideIt) {
  Put("mnist/2/model.pt", "model");
  Put("mnist/2/model.json", "spec");
  const auto files = folders().Read("mnist", 2);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->bytes, "model");
  EXPECT_EQ(files->spec_json, "spec");
  EXPECT_EQ(files->path, folder_ + "/root/mnist/2/model.pt");
  EXPECT_EQ(VersionFolders::NameOf(files->path), "mnist");
  EXPECT_EQ(folders().Read("mnist", 3).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(VersionFoldersTest, NothingIsReadFromOutsideTheRoot) {
  std::ofstream(folder_ + "/secret.pt") << "secret";
  fs::create_directories(folder_ + "/outside/1");
  std::ofstream(folder_ + "/outside/1/model.pt") << "secret";
  fs::create_directories(folder_ + "/root/file/1");
  fs::create_symlink(folder_ + "/secret.pt", folder_ + "/root/file/1/model.pt");
  fs::create_directories(folder_ + "/root/version");
  fs::create_directory_symlink("../../outside/1", folder_ + "/root/version/1");
  fs::create_directory_symlink("../outside", folder_ + "/root/name");
  for (const char* name : {"file", "version", "name"}) {
    EXPECT_EQ(folders().Read(name, 1).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  for (const char* name : {"..", "../outside", "/etc", "", "a/b"}) {
    EXPECT_EQ(folders().Read(name, 1).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  // A spec outside is no spec, and says so.
  Put("spec/1/model.pt", "model");
  fs::create_symlink(folder_ + "/secret.pt", folder_ + "/root/spec/1/model.json");
  EXPECT_THAT(std::string(folders().Read("spec", 1).status().message()), HasSubstr("leads out of"));
}

TEST_F(VersionFoldersTest, AKubernetesVolumeIsRead) {
  Put("..2026_1/mnist/1/model.pt", "first");
  fs::create_directory_symlink("..2026_1", folder_ + "/root/..data");
  fs::create_directory_symlink("..data/mnist", folder_ + "/root/mnist");
  EXPECT_THAT(folders().Names(), ElementsAre("mnist"));
  EXPECT_EQ(folders().Read("mnist", 1)->bytes, "first");
}

TEST_F(VersionFoldersTest, AddTakesTheNextNumberAndLeavesNothingElse) {
  EXPECT_EQ(*folders().Add("mnist", 0, {.bytes = "a"}), 1);
  EXPECT_EQ(*folders().Add("mnist", 0, {.bytes = "b", .spec_path = "x", .spec_json = "{}"}), 2);
  EXPECT_EQ(*folders().Add("mnist", 7, {.bytes = "c"}), 8);
  EXPECT_EQ(folders().Read("mnist", 2)->bytes, "b");
  EXPECT_EQ(folders().Read("mnist", 2)->spec_json, "{}");
  fs::create_directories(folder_ + "/root/mnist/9");  // somebody is writing it
  EXPECT_EQ(*folders().Add("mnist", 0, {.bytes = "d"}), 10);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ + "/root/mnist"), fs::directory_iterator()), 5);
  EXPECT_EQ(WriteModelFolder(folder_ + "/root/mnist/9", {.bytes = "e"}).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(VersionFoldersTest, AddSaysWhereItCannotWrite) {
  std::ofstream(folder_ + "/root/mnist") << "a file";
  const absl::Status status = folders().Add("mnist", 0, {.bytes = "a"}).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder_ + "/root/mnist"));
}

TEST(VersionNumberTest, IsADecimalFromOne) {
  EXPECT_EQ(VersionNumber("1"), 1);
  EXPECT_EQ(VersionNumber("20261125"), 20261125);
  for (const char* text : {"", "0", "01", "-1", "1a", " 1", "1234567890123456789", "683daa5f36a6"}) {
    EXPECT_EQ(VersionNumber(text), 0) << text;
  }
}

TEST(VersionPolicyTest, Selects) {
  const std::vector<int64_t> there = {2, 3, 5};
  EXPECT_THAT(ParseVersionPolicy("latest")->Select(there), ElementsAre(5));
  EXPECT_THAT(ParseVersionPolicy("all")->Select(there), ElementsAre(2, 3, 5));
  EXPECT_THAT(ParseVersionPolicy("3,4,2")->Select(there), ElementsAre(2, 3));
  EXPECT_THAT(ParseVersionPolicy("4")->Select(there), IsEmpty());
  EXPECT_THAT(ParseVersionPolicy("latest")->Select({}), IsEmpty());
  for (const char* text : {"", "newest", "1,", "1 2", "0", "-3"}) {
    EXPECT_THAT(std::string(ParseVersionPolicy(text).status().message()), HasSubstr("latest, all, or numbers")) << text;
  }
}

}  // namespace
}  // namespace digit
