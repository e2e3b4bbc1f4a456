// What is live survives a restart: every test ends a registry and begins another with the same state folder.
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/daemon/registry/registry_fixture.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RestartTest : public RegistryTest {
 protected:
  void SetUp() override {
    RegistryTest::SetUp();
    Restart();
  }
  void TearDown() override {
    models_ = nullptr;
    RegistryTest::TearDown();
  }
  void End() {
    models_ = nullptr;
    state_ = nullptr;  // lets go of its lock
  }
  void Begin() {
    state_ = std::make_unique<StateFolder>((folder_ / "state").string());
    ModelRegistry::Options options{
        .pool = pool_.get(), .model_dir = model_dir_, .policies = policies_, .state = state_.get()};
    models_ = std::make_unique<ModelRegistry>(std::move(options));
    restored_ = models_->Restore();
    loaded_ = models_->Load("mnist", model_dir_.empty() ? path() : "", kNow);
  }
  void Restart() {
    End();
    Begin();
    ASSERT_TRUE(loaded_.ok()) << loaded_;
  }
  std::string Live() { return (*models_->Find("mnist", ""))->model->identity; }
  void Reload(float by) {
    Write(Shifted(by));
    const auto reloaded = models_->Reload("mnist", {}, kNow);
    ASSERT_TRUE(reloaded.ok()) << reloaded.status();
    ASSERT_TRUE(reloaded->changed);
  }
  void Put(int version, const std::string& bytes) {
    const std::filesystem::path folder = folder_ / "models/mnist" / absl::StrCat(version);
    std::filesystem::create_directories(folder);
    ASSERT_TRUE(WriteFileAtomically((folder / "model.pt").string(), bytes).ok());
  }

  std::string model_dir_;
  std::map<std::string, VersionPolicy> policies_;
  std::unique_ptr<StateFolder> state_;
  std::unique_ptr<ModelRegistry> models_;
  absl::Status restored_, loaded_;
};

TEST_F(RestartTest, NothingIsWrittenBeforeThereIsSomethingToKeep) {
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state"));
}

TEST_F(RestartTest, ARollbackLasts) {
  const std::string first = Live();
  Reload(1);
  const std::string second = Live();
  ASSERT_TRUE(models_->Rollback("mnist", kNow).ok());
  models_->Save().IgnoreError();
  Restart();  // the file holds what was rolled back
  EXPECT_EQ(Live(), first);
  const VersionRecord kept_out = models_->Describe("mnist")->versions.at(1);
  EXPECT_EQ(kept_out.identity, second);
  EXPECT_EQ(kept_out.state, ModelState::kRefused);
  EXPECT_THAT(kept_out.reason, HasSubstr("was refused or rolled back before and has not changed since"));
  EXPECT_FALSE(models_->Reload("mnist", {.automatic = true}, kNow)->changed);
  EXPECT_THAT(std::string(models_->Reload("mnist", {}, kNow).status().message()), HasSubstr("rolled back before"));
  Restart();
  EXPECT_EQ(Live(), first);
  Write(Shifted(2));
  Restart();  // the file has changed: it wins
  EXPECT_NE(Live(), first);
  EXPECT_NE(Live(), second);
}

TEST_F(RestartTest, ARefusedOrBrokenFileDoesNotComeInByARestart) {
  Reload(1);
  const std::string live = Live();
  Write(Sevens());
  EXPECT_FALSE(models_->Reload("mnist", {}, kNow).ok());
  Restart();  // as after kill -9
  EXPECT_EQ(Live(), live);
  End();
  Write("broken");
  Begin();
  EXPECT_TRUE(loaded_.ok()) << loaded_;
  EXPECT_EQ(Live(), live);
}

TEST_F(RestartTest, WhatWasLiveFromTheStartOnOutlivesARefusedOrBrokenFileToo) {
  const std::string live = Live();
  Write(Sevens());
  EXPECT_FALSE(models_->Reload("mnist", {}, kNow).ok());
  Restart();
  EXPECT_EQ(Live(), live);
  Write("broken");
  EXPECT_FALSE(models_->Reload("mnist", {.automatic = true}, kNow).ok());
  Restart();
  EXPECT_EQ(Live(), live);
}

TEST_F(RestartTest, AFileThatFailsItsChecksAtAStartDoesNotReplaceWhatWasLive) {
  const std::string live = Live();
  ASSERT_TRUE(models_->Save().ok());
  End();
  Write(Shifted(1));
  engines_.broken[LoadModel(path())->identity] = true;
  Begin();
  ASSERT_TRUE(loaded_.ok()) << loaded_;
  EXPECT_EQ(Live(), live);
}

TEST_F(RestartTest, ARollbackIsPossibleAfterARestartToo) {
  const std::string first = Live();
  Reload(1);
  const std::string second = Live();
  Restart();
  EXPECT_EQ(Live(), second);
  ASSERT_TRUE(models_->Rollback("mnist", kNow).ok());
  EXPECT_EQ(Live(), first);
  ASSERT_TRUE(models_->Save().ok());
  End();
  Write(Shifted(3));
  Begin();  // the file has changed meanwhile: what was live before the restart is what a rollback goes to
  EXPECT_NE(Live(), first);
  ASSERT_TRUE(models_->Rollback("mnist", kNow).ok());
  EXPECT_EQ(Live(), first);
}

TEST_F(RestartTest, WhatCannotBeSavedIsSaidUntilItIs) {
  Reload(1);
  const std::string file = (folder_ / "state/live.json").string();
  std::filesystem::remove(file);
  std::filesystem::create_directories(file + "/in the way");
  EXPECT_FALSE(models_->Save().ok());
  EXPECT_FALSE(models_->is_saved());
  EXPECT_THAT(models_->Describe("mnist")->versions.at(0).reason, HasSubstr("will not survive a restart"));
  std::filesystem::remove_all(file);
  EXPECT_TRUE(models_->Save().ok());
  EXPECT_TRUE(models_->is_saved());
  EXPECT_EQ(models_->Describe("mnist")->versions.at(0).reason, "");
}

TEST_F(RestartTest, WhatACrashLeftIsRemovedAndOldTrainedVersionsAre) {
  const std::string trained = (folder_ / "trained.pt").string();
  for (int i = 0; i < 23; ++i) {
    ASSERT_TRUE(WriteFileAtomically(trained, Shifted(static_cast<float>(i + 1))).ok());
    ASSERT_TRUE(models_->Publish("mnist", trained, i == 0 ? Promote::kAlways : Promote::kNever, kNow).ok());
  }
  std::filesystem::create_directories(folder_ / "state/models/mnist/.new.abcdef");
  Restart();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state/models/mnist/.new.abcdef"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "state/models/mnist/1"));  // it is live
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state/models/mnist/2"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "state/models/mnist/4"));
}

TEST_F(RestartTest, WithoutAFileThereIsNoStart) {
  Reload(1);
  End();
  std::filesystem::remove(path());
  Begin();
  EXPECT_EQ(loaded_.code(), absl::StatusCode::kNotFound);
}

TEST_F(RestartTest, ADamagedStateIsSaidAndTheFileIsServed) {
  Reload(1);
  ASSERT_TRUE(WriteFileAtomically((folder_ / "state/live.json").string(), "{").ok());
  Restart();
  EXPECT_THAT(std::string(restored_.message()), HasSubstr("live.json"));
}

TEST_F(RestartTest, OnlyTheCopiesThatAreNeededAreKept) {
  for (float by : {1, 2, 3}) Reload(by);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "state/files/mnist"),
                          std::filesystem::directory_iterator()),
            2);
}

TEST_F(RestartTest, WhatWasTrainedGoesLiveAndStays) {
  const std::string trained = (folder_ / "trained.pt").string();
  ASSERT_TRUE(WriteFileAtomically(trained, Shifted(5)).ok());
  const auto published = models_->Publish("mnist", trained, Promote::kIfBetter, kNow);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(published->live->version, "1");
  EXPECT_EQ(published->live->origin, Origin::kTrained);
  EXPECT_EQ(published->live->model->path, (folder_ / "state/models/mnist/1/model.pt").string());
  const std::string live = Live();
  EXPECT_FALSE(models_->Reload("mnist", {.automatic = true}, kNow)->changed);  // the file is as it was
  EXPECT_FALSE(models_->Reload("mnist", {}, kNow)->changed);
  Restart();
  EXPECT_EQ(Live(), live);
  EXPECT_FALSE(models_->Reload("mnist", {.automatic = true}, kNow)->changed);
  Reload(6);  // a new file is newer than what was trained
  EXPECT_NE(Live(), live);
}

TEST_F(RestartTest, WhatWasTrainedAndIsNotBetterIsACandidate) {
  const std::string trained = (folder_ / "trained.pt").string();
  ASSERT_TRUE(WriteFileAtomically(trained, Sevens()).ok());
  const auto published = models_->Publish("mnist", trained, Promote::kIfBetter, kNow);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_THAT(published->refused, HasSubstr("agreement"));
  EXPECT_EQ((*models_->Find("mnist", "candidate"))->version, "1");
  EXPECT_NE((*models_->Find("mnist", ""))->version, "1");
  Restart();
  EXPECT_EQ((*models_->Find("mnist", "candidate"))->version, "1");
  EXPECT_FALSE(models_->PromoteVersion("mnist", "", false, kNow).ok());
  EXPECT_TRUE(models_->PromoteVersion("mnist", "", true, kNow).ok());
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "1");
  const auto always = models_->Publish("mnist", path(), Promote::kAlways, kNow);
  ASSERT_TRUE(always.ok()) << always.status();
  EXPECT_EQ(always->live->version, "2");
}

TEST_F(RestartTest, ARollbackMeanwhileDoesNotLoseWhatWasTrained) {
  Reload(1);
  const std::string trained = (folder_ / "trained.pt").string();
  ASSERT_TRUE(WriteFileAtomically(trained, Shifted(5)).ok());
  bool rolled_back = false;
  engines_.before_create = [&] {
    if (std::exchange(rolled_back, true)) return;
    ASSERT_TRUE(models_->Rollback("mnist", kNow).ok());
  };
  const auto published = models_->Publish("mnist", trained, Promote::kIfBetter, kNow);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_TRUE(rolled_back);
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "1");
}

TEST_F(RestartTest, WhatIsNotSoundIsNotStored) {
  const std::string trained = (folder_ / "trained.pt").string();
  ASSERT_TRUE(WriteFileAtomically(trained, "no model").ok());
  EXPECT_FALSE(models_->Publish("mnist", trained, Promote::kAlways, kNow).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state/models"));
}

TEST_F(RestartTest, AVersionFolderThatHasChangedMeanwhileIsRefused) {
  model_dir_ = (folder_ / "models").string();
  Put(1, Shifted(1));
  Put(2, Shifted(2));
  Restart();
  models_->Save().IgnoreError();
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "2");
  Put(2, Shifted(20));
  Restart();
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "1");
}

TEST_F(RestartTest, ARolledBackVersionFolderStaysOut) {
  model_dir_ = (folder_ / "models").string();
  Put(1, Shifted(1));
  Restart();
  Put(2, Shifted(2));
  ASSERT_TRUE(models_->Reload("mnist", {}, kNow)->changed);
  ASSERT_TRUE(models_->Rollback("mnist", kNow).ok());
  models_->Save().IgnoreError();
  Restart();
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "1");
  EXPECT_FALSE(models_->Reload("mnist", {.automatic = true}, kNow)->changed);
  Put(3, Shifted(3));
  Restart();
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "3");
  std::filesystem::remove_all(folder_ / "models/mnist/3");
  EXPECT_FALSE(models_->Reload("mnist", {}, kNow).ok());  // 2 was rolled back, whatever went live since
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "3");
}

TEST_F(RestartTest, AnotherChoiceOfVersionsCountsMoreThanWhatWasLive) {
  model_dir_ = (folder_ / "models").string();
  Put(1, Shifted(1));
  Put(2, Shifted(2));
  Restart();
  ASSERT_TRUE(models_->Save().ok());
  policies_[""] = *ParseVersionPolicy("1");
  Restart();
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "1");
}

TEST_F(RestartTest, WhatWasTrainedIsSharedWithThoseWhoWatchTheVersionFolders) {
  model_dir_ = (folder_ / "models").string();
  Put(4, Shifted(4));
  Restart();
  const std::string trained = (folder_ / "trained.pt").string();
  ASSERT_TRUE(WriteFileAtomically(trained, Shifted(5)).ok());
  ASSERT_TRUE(models_->Publish("mnist", trained, Promote::kNever, kNow).ok());
  EXPECT_THAT(models_->folders().Versions("mnist"), ElementsAre(4));       // not before it is live
  EXPECT_EQ((*models_->Find("mnist", "candidate"))->version.size(), 12u);  // its number is given by the folders
  Put(5, Shifted(50));                                                     // somebody else's
  ASSERT_TRUE(models_->PromoteVersion("mnist", "", false, kNow).ok());
  EXPECT_THAT(models_->folders().Versions("mnist"), ElementsAre(4, 5, 6));
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "6");
  EXPECT_FALSE(models_->Reload("mnist", {.automatic = true}, kNow)->changed);
  ModelRegistry::Options options{.pool = pool_.get(), .model_dir = model_dir_};
  ModelRegistry other(std::move(options));
  ASSERT_TRUE(other.Load("mnist", "", kNow).ok());
  EXPECT_EQ((*other.Find("mnist", ""))->version, "6");
  EXPECT_EQ((*other.Find("mnist", ""))->model->identity, Live());
  Restart();
  EXPECT_EQ((*models_->Find("mnist", ""))->version, "6");
}

TEST_F(RestartTest, AFolderThatAnotherProcessUsesIsLeftAlone) {
  StateFolder other((folder_ / "state").string());
  ASSERT_TRUE(other.Open().ok());
  Reload(1);  // goes live all the same
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state/live.json"));
  const absl::Status status = models_->Publish("mnist", path(), Promote::kNever, kNow).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("another digitd uses"));
}

}  // namespace
}  // namespace digit
