// Models of version folders.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/daemon/registry/registry_fixture.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class VersionsTest : public RegistryTest {
 protected:
  void SetUp() override {
    RegistryTest::SetUp();
    options_.pool = pool_.get();
    options_.model_dir = (folder_ / "models").string();
    for (int version : {1, 2, 3}) Put("digits", version, Shifted(static_cast<float>(version)));
  }
  void Put(const std::string& name, int version, const std::string& bytes) {
    const std::filesystem::path folder = folder_ / "models" / name / absl::StrCat(version);
    std::filesystem::create_directories(folder);
    ASSERT_TRUE(WriteFileAtomically((folder / "model.pt").string(), bytes).ok());
  }
  void Start() {
    models_ = std::make_unique<ModelRegistry>(options_);
    const absl::Status status = models_->Load("digits", "", kNow);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Live() { return (*models_->Find("digits", ""))->version; }
  std::vector<std::string> Loaded() {
    std::vector<std::string> loaded;
    for (int version = 0; version < 10; ++version) {
      if (models_->Find("digits", absl::StrCat(version)).ok()) loaded.push_back(absl::StrCat(version));
    }
    return loaded;
  }

  ModelRegistry::Options options_;
  std::unique_ptr<ModelRegistry> models_;
};

TEST_F(VersionsTest, TheLatestIsLiveAndAloneByDefault) {
  Start();
  EXPECT_EQ(Live(), "3");
  EXPECT_THAT(Loaded(), ElementsAre("3"));
  EXPECT_EQ((*models_->Find("digits", ""))->model->path, (folder_ / "models/digits/3/model.pt").string());
}

TEST_F(VersionsTest, AllOrSomeAreLoadedAsThePolicySays) {
  options_.policies["digits"] = *ParseVersionPolicy("all");
  Start();
  EXPECT_EQ(Live(), "3");
  EXPECT_THAT(Loaded(), ElementsAre("1", "2", "3"));
  EXPECT_EQ(StateOf(*models_, "digits", 1), "kept");
  options_.policies["digits"] = *ParseVersionPolicy("1,2");
  Start();
  EXPECT_EQ(Live(), "2");
  EXPECT_THAT(Loaded(), ElementsAre("1", "2"));
  options_.policies = {{"", *ParseVersionPolicy("7")}};
  EXPECT_EQ(ModelRegistry(options_).Load("digits", "", kNow).code(), absl::StatusCode::kNotFound);
}

TEST_F(VersionsTest, AHigherNumberGoesLive) {
  Start();
  EXPECT_FALSE(models_->Reload("digits", {.automatic = true}, kNow)->changed);
  Put("digits", 10, Shifted(10));
  const auto reloaded = models_->Reload("digits", {.automatic = true}, kNow);
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_TRUE(reloaded->changed);
  EXPECT_EQ(Live(), "10");
  EXPECT_EQ((*models_->Find("digits", "previous"))->version, "3");
}

TEST_F(VersionsTest, WhenTheHighestIsRefusedTheNextNewOneGoesLive) {
  Start();
  Put("digits", 5, Shifted(5));
  Put("digits", 6, "broken");
  EXPECT_TRUE(models_->Reload("digits", {.automatic = true}, kNow)->changed);
  EXPECT_EQ(Live(), "5");
  ASSERT_TRUE(models_->Rollback("digits", kNow).ok());
  Put("digits", 4, Shifted(4));  // not newer than what has been live
  EXPECT_FALSE(models_->Reload("digits", {.automatic = true}, kNow).ok());
  EXPECT_EQ(Live(), "3");
}

TEST_F(VersionsTest, WithEveryVersionLoadedTheReplacedOnesStay) {
  options_.policies[""] = *ParseVersionPolicy("all");
  Start();
  for (int version : {4, 5}) {
    Put("digits", version, Shifted(static_cast<float>(version)));
    ASSERT_TRUE(models_->Reload("digits", {}, kNow)->changed);
  }
  EXPECT_THAT(Loaded(), ElementsAre("1", "2", "3", "4", "5"));
  std::filesystem::remove_all(folder_ / "models/digits/1");
  ASSERT_TRUE(models_->Reload("digits", {}, kNow).ok());
  EXPECT_THAT(Loaded(), ElementsAre("2", "3", "4", "5"));
}

TEST_F(VersionsTest, ADeletedVersionServesOn) {
  Start();
  std::filesystem::remove_all(folder_ / "models/digits/3");
  EXPECT_TRUE(models_->Reload("digits", {.automatic = true}, kNow).ok());
  EXPECT_TRUE(models_->Find("digits", "3").ok());
}

TEST_F(VersionsTest, AVersionWhoseContentHasChangedIsRefused) {
  Start();
  Put("digits", 3, Shifted(30));
  const absl::Status refused = models_->Reload("digits", {.force = true}, kNow).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("a version stays what it is"));
  EXPECT_EQ(Live(), "3");
}

TEST_F(VersionsTest, AtTheStartTheHighestSoundVersionIsTaken) {
  Put("digits", 4, "broken");
  Start();
  EXPECT_EQ(Live(), "3");
}

TEST_F(VersionsTest, ANameThatComesAnewIsLoaded) {
  Start();
  EXPECT_EQ(models_->Reload("letters", {}, kNow).status().code(), absl::StatusCode::kNotFound);
  Put("letters", 1, Shifted(5));
  ASSERT_TRUE(models_->Reload("letters", {.automatic = true}, kNow)->changed);
  EXPECT_THAT(models_->Names(), ElementsAre("digits", "letters"));
  EXPECT_EQ(models_->default_name(), "digits");
}

TEST_F(VersionsTest, AVersionThatIsNotLoadedIsPromotedFromItsFolder) {
  Start();
  const auto promoted = models_->PromoteVersion("digits", "1", false, kNow);
  ASSERT_TRUE(promoted.ok()) << promoted.status();
  EXPECT_EQ(Live(), "1");
  EXPECT_THAT(promoted->gate, HasSubstr("100.00 % agreement"));
  EXPECT_EQ(models_->PromoteVersion("digits", "9", false, kNow).status().code(), absl::StatusCode::kNotFound);
  for (const char* version : {"../1", "/etc", "01", ""}) {
    EXPECT_EQ(models_->PromoteVersion("digits", version, false, kNow).status().code(), absl::StatusCode::kNotFound)
        << version;
  }
  for (const char* name : {"../digits", "/", "..", "a/b"}) {
    EXPECT_EQ(models_->PromoteVersion(name, "1", false, kNow).status().code(), absl::StatusCode::kNotFound) << name;
    EXPECT_EQ(models_->Reload(name, {}, kNow).status().code(), absl::StatusCode::kNotFound) << name;
  }
}

TEST_F(VersionsTest, ALinkOutOfTheFolderIsNotFollowed) {
  std::filesystem::create_directories(folder_ / "models/digits/9");
  std::filesystem::create_symlink(path(), folder_ / "models/digits/9/model.pt");
  Start();
  EXPECT_EQ(Live(), "3");
  EXPECT_THAT(std::string(models_->Reload("digits", {}, kNow).status().message()), HasSubstr("leads out of"));
  EXPECT_THAT(std::string(models_->PromoteVersion("digits", "9", true, kNow).status().message()),
              HasSubstr("leads out of"));
}

TEST_F(VersionsTest, WhatIsNotInTheListOfDigestsIsNeverLoaded) {
  options_.digests = (folder_ / "digests").string();
  ASSERT_TRUE(WriteFileAtomically(options_.digests, Sha256Hex(Shifted(3))).ok());
  Start();
  Put("digits", 4, Shifted(4));
  EXPECT_THAT(std::string(models_->Reload("digits", {.force = true}, kNow).status().message()),
              HasSubstr("not in the list of digests"));
  EXPECT_THAT(std::string(models_->PromoteVersion("digits", "1", true, kNow).status().message()),
              HasSubstr("not in the list of digests"));
  ASSERT_TRUE(WriteFileAtomically(options_.digests, Sha256Hex(Shifted(1))).ok());
  ModelRegistry other(options_);
  ASSERT_TRUE(other.Load("digits", "", kNow).ok());  // the highest that is allowed
  EXPECT_EQ((*other.Find("digits", ""))->version, "1");
  EXPECT_THAT(std::string(other.Load("file", path(), kNow).message()), HasSubstr("not in the list of digests"));
}

}  // namespace
}  // namespace digit
