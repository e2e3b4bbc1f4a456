// Files that the real PyTorch wrote (Debian's python3-torch, 1.13), and the layout of 2.x, read bit for bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "model/archive/model_file.h"
#include "tests/support/python.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kData[] = "tests/data/state_dict/";

bool RunCommand(const std::string& command) { return std::system(command.c_str()) == 0; }

std::string Load(const std::string& path) {
  auto bytes = ReadFile(path, kMaxModelFileBytes);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? *std::move(bytes) : "";
}

// All values in file order, as raw bytes.
std::string RawValues(const ModelFile& file) {
  std::string raw;
  for (const NamedTensor& tensor : file.tensors) {
    raw.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
  }
  return raw;
}

std::vector<std::string> Names(const ModelFile& file) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : file.tensors) names.push_back(tensor.name);
  return names;
}

void ExpectNetwork(const ModelFile& file) {
  EXPECT_THAT(Names(file), ElementsAre("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc1.weight",
                                       "fc1.bias", "fc2.weight", "fc2.bias"));
  EXPECT_THAT(file.tensors.at(0).shape, ElementsAre(32, 1, 3, 3));
  EXPECT_THAT(file.tensors.at(4).shape, ElementsAre(128, 1600));
  EXPECT_THAT(file.tensors.at(7).shape, ElementsAre(10));
}

class Layout2xTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "model_archive_test.XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Make2x(const std::string& options) const {
    const std::string path = folder_ + "/2x.pt";
    EXPECT_TRUE(RunCommand(Python() + " " + kData + "make_2x_layout.py " + path + " " + options));
    return path;
  }

  std::string folder_;
};

// The formula stands in the generator.
float Expected2x(size_t element, size_t tensor) {
  const uint64_t mixed = (element * 2654435761u + tensor * 40503u) % (1u << 24);
  return static_cast<float>(static_cast<double>(mixed) / (1 << 24) - 0.5);
}

TEST_F(Layout2xTest, IsReadBitForBitWithAndWithoutCrcs) {
  for (const char* options : {"", "--no-crc"}) {
    const auto file = ParseModelFile(Load(Make2x(options)));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->kind, ModelFile::Kind::kStateDict);
    ExpectNetwork(*file);
    for (size_t t = 0; t < file->tensors.size(); ++t) {
      const std::vector<float>& values = file->tensors[t].values;
      for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], Expected2x(i, t)) << t << " " << i;
    }
  }
}

TEST_F(Layout2xTest, OfABigEndianMachineIsRefused) {
  EXPECT_THAT(ParseModelFile(Load(Make2x("--big-endian"))).status().message(), HasSubstr("big-endian machine"));
}

TEST_F(Layout2xTest, TruncatedOrFlippedNeverGivesOtherTensors) {
  const std::string bytes = Load(Make2x("--small"));
  const auto original = ParseModelFile(bytes);
  ASSERT_TRUE(original.ok()) << original.status();
  for (size_t at = 0; at < bytes.size(); ++at) {
    EXPECT_FALSE(ParseModelFile(bytes.substr(0, at)).ok()) << at;
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(~flipped[at]);
    const auto file = ParseModelFile(flipped);
    if (file.ok()) {
      ASSERT_EQ(RawValues(*file), RawValues(*original)) << at;
    }
  }
}

// One Python process writes everything for all tests below.
class PythonTorchTest : public Layout2xTest {
 protected:
  void SetUp() override {
    Layout2xTest::SetUp();
    if (!RunCommand(Python() + " -c 'import torch' 2>/dev/null")) {
      const char* required = std::getenv("DIGIT_REQUIRE_PYTHON_TORCH");
      ASSERT_TRUE(required == nullptr || std::string(required) != "1") << Python() << " has no torch: python3-torch";
      GTEST_SKIP() << "needs the package python3-torch";
    }
    ASSERT_TRUE(RunCommand(Python() + " " + kData + "make_torch_files.py " + folder_ + " " + Make2x("")));
  }

  absl::StatusOr<ModelFile> Parse(const std::string& name) const {
    return ParseModelFile(Load(folder_ + "/" + name + ".pt"));
  }
  void ExpectSameValues(const ModelFile& file, const std::string& name) const {
    EXPECT_TRUE(RawValues(file) == Load(folder_ + "/" + name + ".floats")) << name;
  }
  void ExpectError(const std::string& name, const std::string& part) const {
    EXPECT_THAT(Parse(name).status().message(), HasSubstr(part)) << name;
  }
};

TEST_F(PythonTorchTest, ItsFilesAreReadBitForBitAndOthersRefusedByName) {
  // `data_parallel` is nn.DataParallel(net).state_dict(), whose names start with "module.".
  for (const std::string name : {"state_dict", "script", "trace", "data_parallel"}) {
    const auto file = Parse(name);
    ASSERT_TRUE(file.ok()) << name << file.status();
    EXPECT_EQ(file->kind == ModelFile::Kind::kTorchScript, name == "script" || name == "trace");
    EXPECT_EQ(file->model_json, name == "script" ? "{\"format\": 1}" : "");
    ExpectNetwork(*file);
    ExpectSameValues(*file, name == "data_parallel" ? "state_dict" : name);
  }

  const auto views = Parse("views");
  ASSERT_TRUE(views.ok()) << views.status();
  EXPECT_THAT(Names(*views), ElementsAre("parameter", "transposed", "slice", "scalar", "expanded"));
  ExpectSameValues(*views, "views");

  // PyTorch itself takes the generated 2.x layout for what it claims to be.
  const auto layout_2x = ParseModelFile(Load(folder_ + "/2x.pt"));
  ASSERT_TRUE(layout_2x.ok()) << layout_2x.status();
  ExpectSameValues(*layout_2x, "dumped");

  const auto foreign = Parse("foreign");
  ASSERT_TRUE(foreign.ok()) << foreign.status();
  EXPECT_EQ(foreign->kind, ModelFile::Kind::kTorchScript);
  EXPECT_THAT(Names(*foreign), ElementsAre("body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias",
                                           "body.1.running_mean", "body.1.running_var"));
  const auto frozen = Parse("frozen");
  ASSERT_TRUE(frozen.ok()) << frozen.status();
  EXPECT_THAT(Names(*frozen), IsEmpty());

  for (const std::string name : {"constants", "quantized", "quantized_frozen"}) {
    const auto file = Parse(name);
    EXPECT_TRUE(file.ok()) << name << file.status();
  }

  ExpectError("whole", "a whole pickled model of class 'tutorial_network.Net'");
  ExpectError("checkpoint", "torch.load(FILE)['model']");
  ExpectError("checkpoint_epoch_first", "torch.load(FILE)['state_dict']");
  ExpectError("legacy", "before PyTorch 1.6");
  ExpectError("half", "tensor 'conv1.weight' holds 'half' values");
  ExpectError("protocol4", "protocol 4; save it with torch.save's default");
  ExpectError("sparse", "'torch._utils._rebuild_sparse_tensor'");
}

}  // namespace
}  // namespace digit
