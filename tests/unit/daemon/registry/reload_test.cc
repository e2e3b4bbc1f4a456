// Reloads and rollbacks with real files and the real CPU engine.
#include <unistd.h>

#include <filesystem>
#include <limits>

#include "base/file.h"
#include "daemon/registry/model_registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/dataset/digit_generator.h"
#include "model/engine/engine_factory.h"
#include "tests/support/state_dict_file.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::UnixEpoch();

class ReloadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(::testing::TempDir()) / ("reload_test." + std::to_string(::getpid()) + "." +
                                                       ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    const auto shipped = LoadModel("model/pretrained/mnist.pt");
    ASSERT_TRUE(shipped.ok()) << shipped.status();
    tensors_ = shipped->file.tensors;
    Write(WriteStateDict(tensors_));
    ASSERT_TRUE(registry_.Load("mnist", path(), kNow).ok());
    first_ = *registry_.Find("", "");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return (folder_ / "mnist.pt").string(); }
  void Write(const std::string& bytes) { ASSERT_TRUE(WriteFileAtomically(path(), bytes).ok()); }
  // The same network in other words: every logit grows by `by`.
  std::string Shifted(float by) const {
    std::vector<NamedTensor> tensors = tensors_;
    for (NamedTensor& tensor : tensors) {
      if (tensor.name != "fc2.bias") continue;
      for (float& value : tensor.values) value += by;
    }
    return WriteStateDict(tensors);
  }
  // One that says 7 to everything.
  std::string Sevens() const {
    std::vector<NamedTensor> tensors = tensors_;
    for (NamedTensor& tensor : tensors) {
      if (tensor.name == "fc2.bias") tensor.values[7] += 1000;
    }
    return WriteStateDict(tensors);
  }
  absl::StatusOr<ModelRegistry::Reloaded> Reload(const ModelRegistry::ReloadOptions& options = {}) {
    return registry_.Reload("mnist", options, kNow);
  }
  std::string StateOf(int index) {
    static const char* const kNames[] = {"checking", "warming", "live", "kept", "draining", "retired", "refused"};
    return kNames[static_cast<int>(registry_.Describe("")->versions.at(index).state)];
  }

  std::filesystem::path folder_;
  std::vector<NamedTensor> tensors_;
  std::unique_ptr<EngineFactory> engines_ = MakeEngineFactory({.engine = EngineChoice::kCpu});
  std::unique_ptr<Pool> pool_ = *Pool::Create({.max_batch_size = 4, .engines = engines_.get()});
  ModelRegistry registry_{pool_.get()};
  ModelHandle first_;
};

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
  ModelRegistry registry({.pool = pool_.get(), .gate_images = DigitGenerator(/*seed=*/7).DrawMany(500)});
  ASSERT_TRUE(registry.Load("mnist", path(), kNow).ok());
  Write(Sevens());
  EXPECT_THAT(std::string(registry.Reload("", {}, kNow).status().message()),
              HasSubstr("worse: 10.00 % of 500 labelled pictures"));
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
  Write(Shifted(2));
  EXPECT_TRUE(Reload()->changed);
  Write(Shifted(1));  // another file came between: the verdict on it is forgotten
  EXPECT_TRUE(Reload()->changed);
}

TEST_F(ReloadTest, AnUnknownNameIsNotFound) {
  EXPECT_EQ(registry_.Reload("other", {}, kNow).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_.Rollback("other", kNow).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace digit
