// Model files go both ways between Python and us, bit for bit. Needs python3-torch.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "model/archive/model_file.h"
#include "model/dataset/digit_generator.h"
#include "model/network/torch_network.h"
#include "model/training/trainer.h"
#include "tests/support/python.h"

namespace digit {
namespace {

int RunPython(const std::string& arguments) {
  return std::system(absl::StrCat(Python(), " tests/integration/python_network.py ", arguments).c_str());
}

std::string MakeFolder(const std::string& name) {
  const std::string folder = testing::TempDir() + "/" + name;
  ::mkdir(folder.c_str(), 0755);
  return folder;
}

template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

TEST(PythonRoundTripTest, PythonReadsOurFileAndGivesTheSameLogits) {
  const DigitCnnWeights weights = ToNetwork(InitialState(1).weight);
  const std::vector<uint8_t> pixels = DigitGenerator(5).DrawMany(20).pixels;
  const std::string folder = MakeFolder("python_reads");
  const auto file = ToTorchScript(weights, "{}");
  const auto logits = TorchLogits(weights, pixels);
  ASSERT_TRUE(file.ok() && logits.ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/m.pt", *file).ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/pixels", BytesOf(pixels)).ok());
  ASSERT_EQ(RunPython(absl::StrCat("check ", folder, "/m.pt ", folder, "/pixels ", folder, "/logits")), 0);
  const auto answer = ReadFile(folder + "/logits", 1 << 20);
  ASSERT_TRUE(answer.ok()) << answer.status();
  // Twice: by the program in our file, and by the tutorial's class with our parameters.
  EXPECT_TRUE(*answer == absl::StrCat(BytesOf(*logits), BytesOf(*logits)));
}

TEST(PythonRoundTripTest, WeReadPythonsStateDictAndScriptedModule) {
  const std::string folder = MakeFolder("python_writes");
  ASSERT_EQ(RunPython(absl::StrCat("make ", folder)), 0);
  for (const char* name : {"state_dict.pt", "scripted.pt"}) {
    const auto bytes = ReadFile(absl::StrCat(folder, "/", name), kMaxModelFileBytes);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto file = ParseModelFile(*bytes);
    ASSERT_TRUE(file.ok()) << name << ": " << file.status();
    ASSERT_EQ(file->tensors.size(), kDigitCnnParameters.size()) << name;
    for (size_t i = 0; i < kDigitCnnParameters.size(); ++i) {
      const NamedTensor& tensor = file->tensors[i];
      EXPECT_EQ(tensor.name, std::string(kDigitCnnParameters[i].name));
      EXPECT_TRUE(absl::MakeConstSpan(tensor.shape) == kDigitCnnParameters[i].shape) << tensor.name;
      EXPECT_TRUE(BytesOf(tensor.values) == *ReadFile(absl::StrCat(folder, "/", tensor.name, ".bin"), 1 << 20))
          << name << " " << tensor.name;
    }
  }
}

TEST(PythonRoundTripTest, WeReadOurOwnFile) {
  const DigitCnnWeights weights = ToNetwork(InitialState(2).weight);
  const auto file = ParseModelFile(*ToTorchScript(weights, "{\"a\":1}"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->kind, ModelFile::Kind::kTorchScript);
  EXPECT_EQ(file->model_json, "{\"a\":1}");
  ASSERT_EQ(file->tensors.size(), weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_EQ(file->tensors[i].name, std::string(kDigitCnnParameters[i].name));
    EXPECT_EQ(file->tensors[i].values, weights[i]);
  }
}

}  // namespace
}  // namespace digit
