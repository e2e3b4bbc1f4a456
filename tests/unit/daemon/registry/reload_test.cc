// Reloads and rollbacks of a file.
#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/dataset/digit_generator.h"
#include "tests/unit/daemon/registry/registry_fixture.h"

namespace digit {
namespace {

using ::testing::HasSubstr;
using ReloadTest = RegistryTest;

TEST_F(ReloadTest, AFileThatDidNotChangeIsNoReload) {
  const auto reloaded = Reload();
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_FALSE(reloaded->changed);
  EXPECT_EQ(reloaded->live, first_);
}

TEST_F(ReloadTest, ANewFileGoesLiveAndTheOldVersionIsKept) {
  Write(Shifted(1));
  const auto reloaded = Reload();
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_TRUE(reloaded->changed);
  EXPECT_THAT(reloaded->gate, HasSubstr("100.00 % agreement"));
  EXPECT_EQ(*registry_.Find("mnist", ""), reloaded->live);
  EXPECT_EQ(*registry_.Find("mnist", "stable"), reloaded->live);
  EXPECT_EQ(*registry_.Find("mnist", "previous"), first_);
  EXPECT_EQ(*registry_.Find("mnist", first_->version), first_);
  EXPECT_EQ(StateOf(0), "live");
  EXPECT_EQ(StateOf(1), "kept");
}

TEST_F(ReloadTest, TheVersionBeforeThePreviousOneDrainsThenRetires) {
  for (float by : {1, 2}) {
    Write(Shifted(by));
    ASSERT_TRUE(Reload().ok());
  }
  EXPECT_EQ(StateOf(2), "draining");  // first_ holds it, as a request would
  EXPECT_EQ(registry_.Find("mnist", first_->version).status().code(), absl::StatusCode::kNotFound);
  first_ = nullptr;
  EXPECT_EQ(StateOf(2), "retired");
}

TEST_F(ReloadTest, WhatIsBrokenLeavesTheOldVersionServing) {
  const std::string sound = Shifted(1);
  for (const std::string& bytes : {std::string(), std::string("hello"), sound.substr(0, sound.size() / 2)}) {
    Write(bytes);
    EXPECT_EQ(Reload().status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(StateOf(1), "refused");
  }
  std::filesystem::remove(path());
  EXPECT_EQ(Reload().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*registry_.Find("mnist", ""), first_);
}

TEST_F(ReloadTest, TheGateRefusesWhatIsOfAnotherMindUnlessForced) {
  Write(Sevens());
  const auto refused = Reload();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("at least 99 % are needed"));
  EXPECT_EQ(*registry_.Find("mnist", ""), first_);
  EXPECT_EQ(StateOf(1), "refused");
  EXPECT_THAT(registry_.Describe("")->versions.at(1).reason, HasSubstr("agreement"));
  EXPECT_FALSE(Reload({.automatic = true})->changed);  // a watch asks once, not every minute
  const auto forced = Reload({.force = true});
  ASSERT_TRUE(forced.ok()) << forced.status();
  EXPECT_TRUE(forced->changed);
}

TEST_F(ReloadTest, TheGateUsesLabelsWhenItHasThem) {
  const auto images = std::make_shared<LabeledImages>(DigitGenerator(/*seed=*/7).DrawMany(500));
  ModelRegistry registry({.pool = pool_.get(), .gate_images = [&](const std::string&) { return images; }});
  ASSERT_TRUE(registry.Load("mnist", path(), kNow).ok());
  Write(Sevens());
  EXPECT_THAT(std::string(registry.Reload("", {}, kNow).status().message()),
              HasSubstr("worse: 10.00 % of 500 labelled pictures"));
}

TEST_F(ReloadTest, WhatIsLiveIsAskedByTheGateOnlyOnce) {
  const auto images = std::make_shared<LabeledImages>(DigitGenerator(/*seed=*/7).DrawMany(80));
  int rests = 0;
  ModelRegistry registry(
      {.pool = pool_.get(), .gate_images = [&](const std::string&) { return images; }, .rest = [&] { ++rests; }});
  ASSERT_TRUE(registry.Load("mnist", path(), kNow).ok());
  EXPECT_EQ(rests, 0);
  Write(Shifted(1));
  ASSERT_TRUE(registry.Reload("", {}, kNow)->changed);
  EXPECT_EQ(rests, 20);
  Write(Shifted(2));
  ASSERT_TRUE(registry.Reload("", {}, kNow)->changed);
  EXPECT_EQ(rests, 30);
}

TEST_F(ReloadTest, WhatTheGateCouldNotJudgeIsNotHeldAgainstTheFile) {
  absl::StatusOr<std::shared_ptr<const LabeledImages>> images = absl::NotFoundError("no pictures");
  ModelRegistry registry({.pool = pool_.get(), .gate_images = [&](const std::string&) { return images; }});
  ASSERT_TRUE(registry.Load("mnist", path(), kNow).ok());
  Write(Shifted(1));
  EXPECT_THAT(std::string(registry.Reload("", {}, kNow).status().message()), HasSubstr("the gate cannot be asked"));
  images = nullptr;
  EXPECT_TRUE(registry.Reload("", {}, kNow)->changed);
  images = absl::NotFoundError("no pictures");
  Write(Shifted(2));
  EXPECT_TRUE(registry.Reload("", {.force = true}, kNow)->changed);
}

TEST_F(ReloadTest, AFileThatCannotBeReadIsSaid) {
  std::filesystem::remove(path());
  std::filesystem::create_directory(path());
  EXPECT_FALSE(Reload({.automatic = true}).ok());
  EXPECT_EQ(StateOf(1), "refused");
  EXPECT_EQ(registry_.Describe("")->versions.at(1).path, path());
}

TEST_F(ReloadTest, WeightsThatAreNotFiniteAreRefused) {
  tensors_[0].values[0] = std::numeric_limits<float>::quiet_NaN();
  Write(WriteStateDict(tensors_));
  EXPECT_FALSE(Reload({.force = true}).ok());
  EXPECT_EQ(*registry_.Find("mnist", ""), first_);
}

TEST_F(ReloadTest, ARollbackIsAtOnceAndLasts) {
  EXPECT_EQ(registry_.Rollback("", kNow).status().code(), absl::StatusCode::kFailedPrecondition);
  Write(Shifted(1));
  ASSERT_TRUE(Reload().ok());
  const auto back = registry_.Rollback("", kNow);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, first_);
  EXPECT_EQ(*registry_.Find("", ""), first_);
  EXPECT_FALSE(Reload({.automatic = true})->changed);
  EXPECT_THAT(std::string(Reload().status().message()), HasSubstr("rolled back before"));
  Write("broken");
  EXPECT_FALSE(Reload().ok());
  Write(Shifted(1));  // a refusal in between does not wash it clean
  EXPECT_FALSE(Reload({.automatic = true})->changed);
  Write(Shifted(2));
  EXPECT_TRUE(Reload()->changed);
  Write(Shifted(1));  // something newer went live: the verdict on it is forgotten
  EXPECT_TRUE(Reload()->changed);
}

TEST_F(ReloadTest, WhatIsNoRegularFileIsRefusedAtOnceAndTheNextReloadWorks) {
  std::filesystem::remove(path());
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(Reload().status().code(), absl::StatusCode::kFailedPrecondition);
  std::filesystem::remove(path());
  std::filesystem::create_symlink("/dev/zero", path());
  EXPECT_EQ(Reload().status().code(), absl::StatusCode::kFailedPrecondition);
  std::filesystem::remove(path());
  Write(Shifted(1));
  EXPECT_TRUE(Reload()->changed);
}

TEST_F(ReloadTest, ManyRefusalsNeverHideWhatIsLoaded) {
  const auto images = std::make_shared<LabeledImages>(DigitGenerator(/*seed=*/7).DrawMany(50));
  ModelRegistry registry({.pool = pool_.get(), .gate_images = [&](const std::string&) { return images; }});
  ASSERT_TRUE(registry.Load("mnist", path(), kNow).ok());
  Write(Shifted(1));
  ASSERT_TRUE(registry.Reload("", {}, kNow).ok());
  for (int i = 0; i < 30; ++i) {
    Write(Sevens(1000 + i));
    EXPECT_FALSE(registry.Reload("", {}, kNow).ok());
  }
  const auto versions = registry.Describe("")->versions;
  EXPECT_EQ(versions.size(), 20u);
  EXPECT_EQ(versions[0].state, ModelState::kLive);
  EXPECT_EQ(std::count_if(versions.begin(), versions.end(), [](const auto& v) { return v.state == ModelState::kKept; }),
            1);
}

TEST_F(ReloadTest, OfASlowWritersPartsOnlyTheLastOneIsRemembered) {
  const std::string sound = Shifted(1);
  for (size_t part = 1; part < 8; ++part) {
    Write(sound.substr(0, sound.size() * part / 8));
    EXPECT_FALSE(Reload({.automatic = true}).ok());
  }
  EXPECT_EQ(registry_.Describe("")->versions.size(), 2u);
  Write(sound);
  EXPECT_TRUE(Reload({.automatic = true})->changed);
  EXPECT_EQ(registry_.Describe("")->versions.size(), 2u);
}

TEST_F(ReloadTest, ALoadedVersionStaysLoadedWhateverBecomesOfReadingItsFileAgain) {
  const std::string json = (folder_ / "mnist.json").string();
  ASSERT_TRUE(WriteFileAtomically(json, "no json").ok());
  EXPECT_FALSE(Reload().ok());
  EXPECT_EQ(StateOf(0), "live");
  EXPECT_THAT(registry_.Describe("")->versions.at(0).reason, HasSubstr("not valid JSON"));
  std::filesystem::remove(json);
  EXPECT_FALSE(Reload()->changed);  // and not "refused before"
}

TEST_F(ReloadTest, TheContentOfAVersionFolderDoesNotChange) {
  std::filesystem::create_directories(folder_ / "3");
  const std::string file = (folder_ / "3" / "model.pt").string();
  ASSERT_TRUE(WriteFileAtomically(file, Shifted(1)).ok());
  ASSERT_TRUE(registry_.Load("numbered", file, kNow).ok());
  EXPECT_EQ((*registry_.Find("numbered", ""))->version, "3");
  ASSERT_TRUE(WriteFileAtomically(file, Shifted(2)).ok());
  const auto refused = registry_.Reload("numbered", {.force = true}, kNow);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("a version stays what it is"));
}

TEST_F(ReloadTest, ARollbackBeatsAReloadThatIsBeingJudgedAgainstWhatItDrops) {
  OvertakeTheNextReloadByARollback();
  EXPECT_EQ(Reload().status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(*registry_.Find("", ""), first_);
  EXPECT_EQ(Reload().status().code(), absl::StatusCode::kFailedPrecondition);  // now against first_
}

TEST_F(ReloadTest, AnUnknownNameIsNotFound) {
  EXPECT_EQ(registry_.Reload("other", {}, kNow).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_.Rollback("other", kNow).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace digit
