// What the tests of the registry share: real files and the real CPU engine, which can be made to fail.
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "daemon/registry/model_registry.h"
#include "gtest/gtest.h"
#include "model/engine/engine_factory.h"
#include "tests/support/simulated_clock.h"
#include "tests/support/state_dict_file.h"

namespace digit {

const absl::Time kNow = absl::UnixEpoch();

class BreakableEngine : public InferenceEngine {
 public:
  BreakableEngine(std::unique_ptr<InferenceEngine> engine, const std::atomic<bool>* broken)
      : engine_(std::move(engine)), broken_(broken) {}
  absl::Status Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) override {
    return *broken_ ? absl::InternalError("scripted failure") : engine_->Infer(pixels, scores);
  }
  int num_classes() const override { return engine_->num_classes(); }
  absl::string_view name() const override { return engine_->name(); }

 private:
  const std::unique_ptr<InferenceEngine> engine_;
  const std::atomic<bool>* const broken_;
};

// The real engines, and something to happen whenever one is made.
class HookedEngines : public EngineFactory {
 public:
  absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model& model, const Device& device,
                                                          Precision precision) override {
    before_create();
    ASSIGN_OR_RETURN(std::unique_ptr<InferenceEngine> engine, engines_->Create(model, device, precision));
    return std::make_unique<BreakableEngine>(std::move(engine), &broken[model.identity]);
  }
  std::function<void()> before_create = [] {};
  // By identity of a model: whether its engines fail. Made before they are.
  std::map<std::string, std::atomic<bool>> broken;

 private:
  const std::unique_ptr<EngineFactory> engines_ = MakeEngineFactory({.engine = EngineChoice::kCpu});
};

// A registry with the shipped network as the file mnist.pt.
class RegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(::testing::TempDir()) / ("registry_test." + std::to_string(::getpid()) + "." +
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
  std::string Sevens(float by = 1000) const {
    std::vector<NamedTensor> tensors = tensors_;
    for (NamedTensor& tensor : tensors) {
      if (tensor.name == "fc2.bias") tensor.values[7] += by;
    }
    return WriteStateDict(tensors);
  }
  absl::StatusOr<ModelRegistry::Reloaded> Reload(const ModelRegistry::ReloadOptions& options = {}) {
    return registry_.Reload("mnist", options, kNow);
  }
  // A version that says 7 is live, by force, and the file holds another one of its mind; while that is being loaded
  // there is a rollback to first_.
  void OvertakeTheNextReloadByARollback() {
    Write(Sevens());
    ASSERT_TRUE(Reload({.force = true}).ok());
    Write(Sevens(1001));
    engines_.before_create = [this, rolled_back = false]() mutable {
      if (std::exchange(rolled_back, true)) return;
      ASSERT_TRUE(registry_.Rollback("", kNow).ok());
    };
  }
  std::string StateOf(int index) { return StateOf(registry_, "", index); }
  static std::string StateOf(const ModelRegistry& registry, const std::string& name, int index) {
    static const char* const kNames[] = {"loading", "checking", "warming", "live",   "candidate",
                                         "kept",    "draining", "retired", "refused"};
    return kNames[static_cast<int>(registry.Describe(name)->versions.at(index).state)];
  }

  std::filesystem::path folder_;
  std::vector<NamedTensor> tensors_;
  HookedEngines engines_;
  std::unique_ptr<Pool> pool_ = *Pool::Create({.max_batch_size = 4, .engines = &engines_});
  // A century ahead of the pool's: the copies for a candidate never expire.
  const SimulatedClock ahead_{SteadyTime(absl::Hours(24 * 365 * 100))};
  ModelRegistry registry_{ModelRegistry::Options{.pool = pool_.get(), .clock = &ahead_}};
  ModelHandle first_;
};

}  // namespace digit
