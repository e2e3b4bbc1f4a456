// The tensors of crafted archives, through ParseModelFile().
#include "model/archive/tensor_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "model/archive/model_file.h"
#include "tests/unit/model/archive/pickle_writer.h"
#include "tests/unit/model/archive/test_archive.h"

namespace digit {
namespace {

using pickle::TensorCall;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

absl::StatusOr<ModelFile> Parse(const std::string& opcodes, const std::string& storage) {
  return ParseModelFile(WriteZip(StateDictEntries(pickle::kProto2 + opcodes + ".", storage)));
}

absl::StatusOr<ModelFile> ParseTensor(const TensorCall& call, const std::string& storage) {
  return Parse(pickle::Dict({pickle::Text("w"), pickle::Tensor(call)}), storage);
}

// A view of six floats 0..5.
TensorCall View(int64_t offset, std::vector<int64_t> shape, std::vector<int64_t> strides) {
  return {.storage_elements = 6, .offset = offset, .shape = shape, .strides = strides};
}

std::string ErrorOf(const TensorCall& call, const std::string& storage = Floats(6)) {
  return std::string(ParseTensor(call, storage).status().message());
}

std::vector<float> ValuesOf(const TensorCall& call) {
  const auto file = ParseTensor(call, Floats(6));
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? file->tensors.at(0).values : std::vector<float>();
}

TEST(TensorReaderTest, ReadsContiguousAndStridedViews) {
  EXPECT_THAT(ValuesOf(View(0, {2, 3}, {3, 1})), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(ValuesOf(View(0, {3, 2}, {1, 3})), ElementsAre(0, 3, 1, 4, 2, 5));  // transposed
  EXPECT_THAT(ValuesOf(View(1, {2, 2}, {3, 1})), ElementsAre(1, 2, 4, 5));        // a slice
  EXPECT_THAT(ValuesOf(View(5, {}, {})), ElementsAre(5));                         // a scalar
  EXPECT_THAT(ValuesOf(View(2, {3}, {0})), ElementsAre(2, 2, 2));                 // expanded
  EXPECT_THAT(ValuesOf(View(0, {0, 3}, {3, 1})), IsEmpty());
  EXPECT_THAT(ValuesOf(View(3, {1, 1, 2}, {kHuge, kHuge, 1})), ElementsAre(3, 4));  // stride of one element is unused
}

TEST(TensorReaderTest, RefusesViewsBeyondTheStorage) {
  EXPECT_THAT(ErrorOf(View(0, {7}, {1})), HasSubstr("'w' reaches beyond its storage of 6"));
  EXPECT_THAT(ErrorOf(View(1, {6}, {1})), HasSubstr("reaches beyond"));
  EXPECT_THAT(ErrorOf(View(6, {}, {})), HasSubstr("reaches beyond"));
  EXPECT_THAT(ErrorOf(View(0, {2, 2}, {5, 1})), HasSubstr("reaches beyond"));
  EXPECT_THAT(ErrorOf(View(kHuge, {2}, {1})), HasSubstr("reaches beyond"));
  EXPECT_THAT(ErrorOf(View(0, {2, 2}, {kHuge, kHuge})), HasSubstr("reaches beyond"));
  EXPECT_THAT(ErrorOf(View(0, {kHuge, kHuge}, {0, 0})), HasSubstr("reaches beyond"));
  EXPECT_THAT(ErrorOf(View(0, {0, kHuge}, {1, 1})), HasSubstr("reaches beyond"));
}

TEST(TensorReaderTest, RefusesMalformedLayouts) {
  EXPECT_THAT(ErrorOf(View(-1, {1}, {1})), HasSubstr("malformed shape"));
  EXPECT_THAT(ErrorOf(View(0, {-1}, {1})), HasSubstr("malformed shape"));
  EXPECT_THAT(ErrorOf(View(0, {2}, {-1})), HasSubstr("malformed shape"));
  EXPECT_THAT(ErrorOf(View(0, {2, 2}, {1})), HasSubstr("malformed shape"));
  EXPECT_THAT(ErrorOf(View(0, std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1))), HasSubstr("malformed shape"));
}

TEST(TensorReaderTest, ExpandedViewsCannotMultiplyMemory) {
  EXPECT_THAT(ErrorOf(View(0, {1000, 1000}, {0, 0})), HasSubstr("at most twice the file's size"));
}

TEST(TensorReaderTest, StorageMustHaveTheDeclaredSize) {
  TensorCall call = View(0, {6}, {1});
  EXPECT_THAT(ErrorOf(call, Floats(5)), HasSubstr("'m/data/0' has 20 bytes, tensor 'w' needs 6"));
  EXPECT_THAT(ErrorOf(call, Floats(6) + "x"), HasSubstr("has 25 bytes"));
  call.storage_elements = (int64_t{1} << 62) + 6;  // times four it wraps to 24
  EXPECT_THAT(ErrorOf(call), HasSubstr("has 24 bytes"));
  call.storage_elements = -6;
  EXPECT_THAT(ErrorOf(call), HasSubstr("malformed"));
  call = View(0, {6}, {1});
  call.key = "../version";
  EXPECT_THAT(ErrorOf(call), HasSubstr("missing from the archive"));
}

TEST(TensorReaderTest, OtherDtypesAreNamed) {
  TensorCall call = View(0, {6}, {1});
  call.storage_class = "HalfStorage";
  EXPECT_THAT(ErrorOf(call), HasSubstr("tensor 'w' holds 'half' values, only float32"));
  call.storage_class = "LongStorage";
  EXPECT_THAT(ErrorOf(call), HasSubstr("'long'"));
}

TEST(TensorReaderTest, ReadsParameters) {
  const std::string parameter = pickle::Global("torch._utils", "_rebuild_parameter") + "(" +
                                pickle::Tensor(View(0, {6}, {1})) + "\x88" + pickle::Dict({}) + "tR";
  const auto file = Parse(pickle::Dict({pickle::Text("w"), parameter}), Floats(6));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->tensors[0].values, ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(TensorReaderTest, RefusesWhatIsNoStateDict) {
  const std::string tensor = pickle::Tensor(View(0, {6}, {1}));
  const auto error = [](const std::string& opcodes) {
    return std::string(Parse(opcodes, Floats(6)).status().message());
  };
  EXPECT_THAT(error(tensor), HasSubstr("a single tensor"));
  EXPECT_THAT(error("](" + tensor + "e"), HasSubstr("a list saved by torch.save"));
  EXPECT_THAT(error("}"), HasSubstr("state_dict is empty"));
  EXPECT_THAT(error(pickle::Dict({pickle::Number(1), tensor})), HasSubstr("key of its dict is no string"));
  EXPECT_THAT(error(pickle::Dict({pickle::Text("epoch"), pickle::Number(1)})), HasSubstr("'epoch' is no tensor"));
  EXPECT_THAT(error(pickle::Dict({pickle::Text("w"), tensor, pickle::Text("w"), tensor})),
              HasSubstr("two tensors are named 'w'"));
  EXPECT_THAT(error(pickle::Dict({pickle::Text("model"), pickle::Dict({pickle::Text("w"), tensor})})),
              HasSubstr("torch.load(FILE)['model']"));
}

// ---- TorchScript

std::string Object(const std::vector<std::string>& attributes) {
  std::string out = pickle::Global("__torch__", "Net") + pickle::kNewObject + "}(";
  for (const std::string& item : attributes) out += item;
  return out + "ub";
}

absl::StatusOr<ModelFile> ParseScript(const std::string& opcodes, const std::string& storage = Floats(6)) {
  return ParseModelFile(WriteZip(TorchScriptEntries(pickle::kProto2 + opcodes + ".", storage)));
}

TEST(TensorReaderTest, NamesModuleTensorsByPath) {
  const std::string child =
      Object({pickle::Text("training"), "\x88", pickle::Text("weight"), pickle::Tensor(View(0, {2}, {1}))});
  const auto file =
      ParseScript(Object({pickle::Text("fc"), child, pickle::Text("scale"), pickle::Tensor(View(5, {}, {}))}));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->kind, ModelFile::Kind::kTorchScript);
  EXPECT_EQ(file->model_json, "{\"format\": 1}");
  ASSERT_EQ(file->tensors.size(), 2u);
  EXPECT_EQ(file->tensors[0].name, "fc.weight");
  EXPECT_THAT(file->tensors[0].values, ElementsAre(0, 1));
  EXPECT_EQ(file->tensors[1].name, "scale");
}

TEST(TensorReaderTest, LeavesOutWhatItCannotReadFromAModule) {
  TensorCall half = View(0, {12}, {1});
  half.storage_class = "HalfStorage";
  half.storage_elements = 12;
  const std::string device = pickle::Global("torch", "device") + "(" + pickle::Text("cpu") + "tR";
  const auto file = ParseScript(
      Object({pickle::Text("h"), pickle::Tensor(half), pickle::Text("big"), pickle::Tensor(View(0, {100000}, {0})),
              pickle::Text("d"), device, pickle::Text("w"), pickle::Tensor(View(0, {6}, {1}))}));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->tensors.size(), 1u);
  EXPECT_EQ(file->tensors[0].name, "w");
}

TEST(TensorReaderTest, RefusesModulesWithBrokenTensors) {
  EXPECT_THAT(ParseScript(Object({pickle::Text("w"), pickle::Tensor(View(0, {7}, {1}))})).status().message(),
              HasSubstr("'w' reaches beyond"));
  EXPECT_THAT(ParseScript("N").status().message(), HasSubstr("holds no module"));
}

TEST(TensorReaderTest, AModuleInsideItselfEnds) {
  const std::string zero(1, '\0');
  const auto file = ParseScript(pickle::Global("__torch__", "Net") + pickle::kNewObject + "q" + zero + "}(" +
                                pickle::Text("me") + "h" + zero + "ub");
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("more attributes than"));
}

TEST(TensorReaderTest, BoundsTheDepthOfModules) {
  std::string nested = Object({});
  for (int level = 1; level < 64; ++level) nested = Object({pickle::Text("m"), nested});
  EXPECT_TRUE(ParseScript(nested).ok());
  for (int level = 0; level < 2; ++level) nested = Object({pickle::Text("m"), nested});
  EXPECT_THAT(std::string(ParseScript(nested).status().message()), HasSubstr("nest deeper than 64"));
}

// Each level holds the next one twice: 2^40 paths.
TEST(TensorReaderTest, ModulesSharedOverManyPathsEnd) {
  std::string opcodes = Object({pickle::Text("w"), pickle::Tensor(View(0, {6}, {1}))});
  std::string head, tail;
  for (int level = 0; level < 40; ++level) {
    const std::string memo(1, static_cast<char>(level));
    head = pickle::Global("__torch__", "Net") + pickle::kNewObject + "}(" + pickle::Text("a") + head;
    tail += "q" + memo + pickle::Text("b") + "h" + memo + "ub";
  }
  EXPECT_THAT(ParseScript(head + opcodes + tail).status().message(), HasSubstr("more attributes than"));
}

}  // namespace
}  // namespace digit
