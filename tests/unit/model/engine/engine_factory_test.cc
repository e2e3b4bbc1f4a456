#include "model/engine/engine_factory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Model ForeignModel() {
  Model model;
  model.path = "fashion.pt";
  return model;
}

absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(EngineChoice choice, const Model& model, Device device = {}) {
  return MakeEngineFactory({.engine = choice, .torch_module_path = DIGIT_FAKE_TORCH_MODULE})->Create(model, device);
}

std::string NameOf(const absl::StatusOr<std::unique_ptr<InferenceEngine>>& engine) {
  return engine.ok() ? std::string((*engine)->name()) : engine.status().ToString();
}

TEST(EngineFactoryTest, TheCpuEngineServesTheDigitNetwork) {
  EXPECT_EQ(NameOf(Create(EngineChoice::kAuto, RandomModel(1))), "cpu");
  EXPECT_EQ(NameOf(Create(EngineChoice::kCpu, RandomModel(1))), "cpu");
}

TEST(EngineFactoryTest, LibTorchServesOtherModelsAndDevicesAndWhoeverAsksForIt) {
  const Device gpu{Device::Kind::kCuda, 0};
  EXPECT_EQ(NameOf(Create(EngineChoice::kAuto, ForeignModel())), "fake-torch");
  EXPECT_EQ(NameOf(Create(EngineChoice::kAuto, RandomModel(1), gpu)), "fake-torch");
  EXPECT_EQ(NameOf(Create(EngineChoice::kTorch, RandomModel(1))), "fake-torch");
  EXPECT_EQ(NameOf(Create(EngineChoice::kTorch, ForeignModel(), gpu)), "fake-torch");
}

TEST(EngineFactoryTest, WithTheCpuEngineOnlyAForeignModelIsRefusedAndToldHow) {
  const absl::Status status = Create(EngineChoice::kCpu, ForeignModel()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'fashion.pt'"), HasSubstr("--engine auto")));
}

TEST(EngineFactoryTest, WithTheCpuEngineOnlyAGpuIsRefused) {
  const absl::Status status = Create(EngineChoice::kCpu, RandomModel(1), {Device::Kind::kCuda, 1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("on device cuda:1"));
}

TEST(EngineFactoryTest, AMissingModuleDoesNotKeepTheCpuEngineFromServing) {
  const std::unique_ptr<EngineFactory> factory = MakeEngineFactory({.torch_module_path = "nowhere.so"});
  EXPECT_EQ(NameOf(factory->Create(RandomModel(1), {})), "cpu");
  EXPECT_EQ(factory->Create(ForeignModel(), {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(EngineFactoryTest, WithTheCpuEngineOnlyThereAreNoGpus) {
  EXPECT_EQ(
      MakeEngineFactory({.engine = EngineChoice::kCpu, .torch_module_path = DIGIT_FAKE_TORCH_MODULE})->CountGpus(), 0);
}

TEST(EngineFactoryTest, WithoutTheModuleThereAreNoGpus) {
  EXPECT_EQ(MakeEngineFactory({.torch_module_path = "/no/such/module.so"})->CountGpus(), 0);
}

}  // namespace
}  // namespace digit
