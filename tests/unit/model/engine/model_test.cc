#include "model/engine/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/sha256.h"
#include "model/engine/cpu_engine.h"
#include "model/engine/reference_check.h"
#include "tests/unit/model/engine/python_models.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class LoadModelTest : public PythonModels {
 protected:
  Model Load(const std::string& name) {
    absl::StatusOr<Model> model = LoadModel(Path(name));
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? *std::move(model) : Model{};
  }
  // The refusal of a file, which is one line and names it.
  std::string RefusalOf(const std::string& name) {
    const absl::Status status = LoadModel(Path(name)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'" + Path(name) + "'"), Not(HasSubstr("\n"))));
    return std::string(status.message());
  }
  // A copy of state_dict.pt in a folder of its own, with other files beside it.
  std::string CopyTo(const std::string& folder, const std::string& name) {
    std::filesystem::create_directories(Path(folder));
    std::filesystem::copy_file(Path("state_dict.pt"), Path(folder + "/" + name),
                               std::filesystem::copy_options::overwrite_existing);
    return folder + "/" + name;
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomically(Path(name), text).ok());
  }
  void CheckAgainstPythonsLogits(const Model& model) {
    const std::unique_ptr<InferenceEngine> engine = *CpuEngine::Create(model);
    const auto pixels = ReadArray<uint8_t>("images.bin");
    const auto want = ReadArray<float>("logits.bin");
    std::vector<float> got(want.size());
    ASSERT_TRUE(engine->Infer(pixels, absl::MakeSpan(got)).ok());
    float error = 0;
    for (size_t i = 0; i < want.size(); ++i) error = std::max(error, std::abs(got[i] - want[i]));
    EXPECT_LE(error, 1e-4f);
    RecordProperty("max_logit_error", ::testing::PrintToString(error));
  }
};

constexpr char kSideSpec[] = R"({"labels": ["a","b","c","d","e","f","g","h","i","j"], "framing": "none"})";

TEST_F(LoadModelTest, AStateDictFromPythonIsServedByTheCpuEngine) {
  const Model model = Load("state_dict.pt");
  EXPECT_TRUE(model.is_digit_cnn);
  EXPECT_EQ(model.spec.architecture, kDigitCnn);
  EXPECT_EQ(model.spec.labels, DefaultSpec(10).labels);
  EXPECT_EQ(model.path, Path("state_dict.pt"));
  EXPECT_EQ(model.sha256, *Sha256HexOfFile(model.path));
  EXPECT_TRUE(model.bytes.empty());
  CheckAgainstPythonsLogits(model);
  const std::unique_ptr<InferenceEngine> engine = *CpuEngine::Create(model);
  EXPECT_TRUE(CheckReference(*engine, model).ok());
}

TEST_F(LoadModelTest, TorchScriptThatSaysItIsTheDigitNetworkIsServedByTheCpuEngine) {
  const Model model = Load("ours.pt");
  EXPECT_TRUE(model.is_digit_cnn);
  EXPECT_EQ(model.spec.labels[7], "seven");
  EXPECT_EQ(model.spec.reference.size(), 16);
  EXPECT_TRUE(model.bytes.empty());
  CheckAgainstPythonsLogits(model);
  const std::unique_ptr<InferenceEngine> engine = *CpuEngine::Create(model);
  EXPECT_EQ(CheckReference(*engine, model), absl::OkStatus());
}

TEST_F(LoadModelTest, ReferenceLogitsOfOtherWeightsAreFoundOut) {
  const Model model = Load("other_weights.pt");
  const std::unique_ptr<InferenceEngine> engine = *CpuEngine::Create(model);
  EXPECT_EQ(CheckReference(*engine, model).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(LoadModelTest, OtherTorchScriptIsForeignAndItsBytesAreKept) {
  for (const char* name : {"foreign.pt", "no_json.pt"}) {
    const Model model = Load(name);
    EXPECT_FALSE(model.is_digit_cnn) << name;
    EXPECT_THAT(model.spec.labels, SizeIs(0)) << name;
    EXPECT_EQ(Sha256Hex(model.bytes), model.sha256) << name;
  }
  EXPECT_THAT(Load("foreign_named.pt").spec.labels, ElementsAre("cat", "dog", "cow"));
}

TEST_F(LoadModelTest, ANetworkWithMoreClassesGetsAsManyLabels) {
  EXPECT_THAT(Load("letters.pt").spec.labels, SizeIs(26));
}

TEST_F(LoadModelTest, TheSpecBesideTheFileIsFoundByItsStem) {
  const std::string name = CopyTo("beside", "a.pt");
  Write("beside/a.json", kSideSpec);
  EXPECT_EQ(Load(name).spec.labels[2], "c");
  EXPECT_EQ(Load(name).spec.framing, Framing::kNone);
}

TEST_F(LoadModelTest, ModelJsonBesideTheFileCountsInAVersionFolderOnly) {
  const std::string version = CopyTo("mnist/12", "weights.pt"), other = CopyTo("models", "weights.pt");
  Write("mnist/12/model.json", kSideSpec);
  Write("models/model.json", kSideSpec);
  EXPECT_EQ(Load(version).spec.labels[2], "c");
  EXPECT_EQ(Load(other).spec.labels[2], "2");
}

TEST_F(LoadModelTest, TheSpecInsideWinsOverTheOneBeside) {
  Write("ours.json", kSideSpec);
  EXPECT_EQ(Load("ours.pt").spec.labels[2], "two");
}

TEST_F(LoadModelTest, ABrokenSpecBesideTheFileIsNamed) {
  const std::string name = CopyTo("broken", "a.pt");
  Write("broken/a.json", "{");
  EXPECT_THAT(std::string(LoadModel(Path(name)).status().message()), HasSubstr(Path("broken/a.json")));
}

TEST_F(LoadModelTest, RefusesASpecWithAnotherNumberOfLabels) {
  EXPECT_THAT(RefusalOf("nine_labels.pt"), HasSubstr("has 9 labels, the network has 10 outputs"));
}

TEST_F(LoadModelTest, RefusesAStateDictOfAnotherNetworkAndNamesTheTensor) {
  EXPECT_THAT(RefusalOf("other_state_dict.pt"), HasSubstr("tensor 'conv1.weight' is missing"));
  EXPECT_THAT(RefusalOf("other_shape.pt"), HasSubstr("tensor 'fc2.weight' has shape [10,64]"));
}

TEST_F(LoadModelTest, RefusesTorchScriptThatClaimsToBeTheDigitNetworkAndIsNot) {
  EXPECT_THAT(RefusalOf("lying.pt"), HasSubstr("says architecture 'digit-cnn', but tensor 'conv1.weight' is missing"));
}

TEST_F(LoadModelTest, RefusesWhatIsNoModel) {
  Write("text.pt", "hello");
  Write("empty.pt", "");
  RefusalOf("text.pt");
  RefusalOf("empty.pt");
  RefusalOf("whole_module.pt");
}

TEST(LoadModelErrorTest, AMissingFileIsNotFound) {
  const absl::Status status = LoadModel("nowhere/mnist.pt").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("nowhere/mnist.pt"));
}

TEST(FitSpecTest, FillsInLabelsOrComparesThem) {
  Model model;
  model.path = "x.pt";
  EXPECT_TRUE(FitSpec(3, &model).ok());
  EXPECT_THAT(model.spec.labels, ElementsAre("0", "1", "2"));
  EXPECT_TRUE(FitSpec(3, &model).ok());
  EXPECT_EQ(FitSpec(4, &model).message(), "model 'x.pt': its model.json has 3 labels, the network has 4 outputs");
}

}  // namespace
}  // namespace digit
