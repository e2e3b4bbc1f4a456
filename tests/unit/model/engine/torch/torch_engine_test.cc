// The real module, loaded as digitd loads it; this program does not link LibTorch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "model/engine/cpu_engine.h"
#include "model/engine/engine_factory.h"
#include "model/engine/reference_check.h"
#include "tests/unit/model/engine/python_models.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<std::unique_ptr<InferenceEngine>> CreateTorch(const Model& model, Device device = {}) {
  return MakeEngineFactory({.engine = EngineChoice::kTorch, .torch_module_path = ""})->Create(model, device);
}

std::vector<float> Scores(InferenceEngine& engine, absl::Span<const uint8_t> pixels) {
  std::vector<float> scores(pixels.size() / kImagePixels * engine.num_classes());
  const absl::Status status = engine.Infer(pixels, absl::MakeSpan(scores));
  EXPECT_TRUE(status.ok()) << status;
  return scores;
}

TEST(TorchEngineTest, AgreesWithTheCpuEngineOnRandomWeights) {
  for (const Widths& widths : {Widths{}, Widths{.conv1 = 3, .conv2 = 5, .hidden = 7, .classes = 26}}) {
    const Model model = RandomModel(1, widths);
    auto torch = CreateTorch(model);
    ASSERT_TRUE(torch.ok()) << torch.status();
    EXPECT_EQ((*torch)->name(), "torch");
    EXPECT_EQ((*torch)->num_classes(), widths.classes);
    const std::unique_ptr<InferenceEngine> cpu = *CpuEngine::Create(model);
    for (int images : {1, 2, 7, 32}) {
      const std::vector<uint8_t> pixels = RandomImages(images, images);
      const std::vector<float> want = Scores(**torch, pixels), got = Scores(*cpu, pixels);
      float error = 0, largest = 1;
      for (size_t i = 0; i < want.size(); ++i) {
        error = std::max(error, std::abs(got[i] - want[i]));
        largest = std::max(largest, std::abs(want[i]));
      }
      EXPECT_LE(error, 1e-4f * largest) << images;
      RecordProperty("max_logit_error_" + std::to_string(images), ::testing::PrintToString(error));
    }
    EXPECT_EQ(CheckReference(**torch, model), absl::OkStatus());
  }
}

TEST(TorchEngineTest, RefusesTensorsThatAreNotOfTheNetwork) {
  Model model = RandomModel(1);
  model.file.tensors[6] = NamedTensor{"fc2.weight", {10, 64}, std::vector<float>(640)};
  const absl::Status status = CreateTorch(model).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'random.pt'"), Not(HasSubstr("\n"))));
}

TEST(TorchEngineTest, ADeviceThatIsNotThereIsAFailedPrecondition) {
  const absl::Status status = CreateTorch(RandomModel(1), {Device::Kind::kCuda, 99}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cuda:99"));
}

TEST(TorchEngineTest, EnginesOfSeveralThreadsGiveTheSameScores) {
  const Model model = RandomModel(1);
  const std::vector<uint8_t> pixels = RandomImages(1, 4);
  std::vector<float> scores[3];
  std::vector<std::thread> threads;
  for (std::vector<float>& result : scores) {
    threads.emplace_back([&] {
      auto engine = CreateTorch(model);
      ASSERT_TRUE(engine.ok()) << engine.status();
      for (int i = 0; i < 5; ++i) result = Scores(**engine, pixels);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(scores[0], scores[1]);
  EXPECT_EQ(scores[0], scores[2]);
}

class TorchEngineFileTest : public PythonModels {
 protected:
  absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const std::string& name) {
    absl::StatusOr<Model> model = LoadModel(Path(name));
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return model.status();
    model_ = *std::move(model);
    return CreateTorch(model_);
  }
  std::string RefusalOf(const std::string& name) {
    const absl::Status status = Create(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(Path(name)), Not(HasSubstr("\n"))));
    return std::string(status.message());
  }
  Model model_;
};

TEST_F(TorchEngineFileTest, GivesPythonsLogitsForEveryWayTheNetworkIsSaved) {
  for (const char* name : {"ours.pt", "state_dict.pt", "no_json.pt"}) {
    auto engine = Create(name);
    ASSERT_TRUE(engine.ok()) << engine.status();
    const std::vector<float> got = Scores(**engine, ReadArray<uint8_t>("images.bin"));
    EXPECT_THAT(got, ::testing::Pointwise(::testing::FloatNear(1e-4f), ReadArray<float>("logits.bin"))) << name;
    ASSERT_TRUE(FitSpec((*engine)->num_classes(), &model_).ok());
    EXPECT_EQ(CheckReference(**engine, model_), absl::OkStatus()) << name;
  }
}

TEST_F(TorchEngineFileTest, ServesForeignTorchScriptAlsoWhenItCannotBeFrozen) {
  for (const char* name : {"foreign.pt", "mutating.pt", "constants.pt"}) {
    auto engine = Create(name);
    ASSERT_TRUE(engine.ok()) << engine.status();
    EXPECT_EQ((*engine)->num_classes(), 3);
    ASSERT_TRUE(FitSpec(3, &model_).ok());
    EXPECT_EQ(CheckReference(**engine, model_), absl::OkStatus());
    const std::vector<float> row = Scores(**engine, RandomImages(1, 1));
    EXPECT_NEAR(row[0] + row[1] + row[2], 1, 1e-5) << name;
  }
}

TEST_F(TorchEngineFileTest, RefusesOutputsThatAreNoRowsOfScores) {
  EXPECT_THAT(RefusalOf("tuple.pt"), HasSubstr("returns a Tuple"));
  EXPECT_THAT(RefusalOf("squeezing.pt"), HasSubstr("of shape [3] for 1 images"));
  EXPECT_THAT(RefusalOf("classes_only.pt"), HasSubstr("Long"));
}

TEST_F(TorchEngineFileTest, RefusesAModelOfAnotherInputAndSaysWhatLibTorchSays) {
  EXPECT_THAT(RefusalOf("colour.pt"), HasSubstr("mat1 and mat2 shapes cannot be multiplied"));
}

TEST_F(TorchEngineFileTest, AModelThatThrowsWhileServingIsAnInternalErrorInOneLine) {
  auto engine = Create("at_most_two.pt");
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::vector<float> scores(9);
  const absl::Status status = (*engine)->Infer(RandomImages(1, 3), absl::MakeSpan(scores));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("no more than two, please"), Not(HasSubstr("\n"))));
}

TEST_F(TorchEngineFileTest, AModelWhoseRowsChangeTheirLengthIsAnInternalError) {
  auto engine = Create("changes_its_mind.pt");
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::vector<float> scores(9);
  const absl::Status status = (*engine)->Infer(RandomImages(1, 3), absl::MakeSpan(scores));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("rows of 3 outputs and now of 4 for a batch of 3"));
}

TEST_F(TorchEngineFileTest, BytesThatAreCutShortAreRefused) {
  ASSERT_TRUE(Create("foreign.pt").ok());
  model_.bytes.resize(model_.bytes.size() / 2);
  EXPECT_EQ(CreateTorch(model_).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace digit
