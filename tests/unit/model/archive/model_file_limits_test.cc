// What hostile files may cost in memory: a small multiple of their own size, whatever sizes they declare.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "model/archive/model_file.h"
#include "tests/unit/model/archive/heap_meter.h"
#include "tests/unit/model/archive/pickle_writer.h"
#include "tests/unit/model/archive/test_archive.h"

namespace digit {
namespace {

constexpr size_t kFreeBytes = 64 << 10;  // messages, containers of no elements

class ModelFileLimitsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HeapMeterWorks()) GTEST_SKIP() << "sanitizers bring their own heap";
  }

  // Parses and returns the peak of the heap, in multiples of the file's size.
  static double PeakRatio(const std::string& bytes) {
    const HeapMeter meter;
    const auto file = ParseModelFile(bytes);
    const size_t peak = meter.PeakBytes();
    return peak < kFreeBytes ? 0 : static_cast<double>(peak - kFreeBytes) / static_cast<double>(bytes.size());
  }

  static double PickleRatio(const std::string& opcodes) {
    const std::string pickle = pickle::kProto2 + opcodes + ".";
    return std::max(PeakRatio(WriteZip(StateDictEntries(pickle, ""))),
                    PeakRatio(WriteZip(TorchScriptEntries(pickle, ""))));
  }

  static std::string Repeat(int count, const std::string& text) {
    std::string out;
    for (int i = 0; i < count; ++i) out += text;
    return out;
  }
};

TEST_F(ModelFileLimitsTest, AnHonestFileCostsItsTensors) {
  const int elements = 100'000;
  const std::string pickle =
      pickle::kProto2 +
      pickle::Dict({pickle::Text("w"),
                    pickle::Tensor({.storage_elements = elements, .offset = 0, .shape = {elements}, .strides = {1}})}) +
      ".";
  EXPECT_LT(PeakRatio(WriteZip(StateDictEntries(pickle, Floats(elements)))), 1.1);
}

TEST_F(ModelFileLimitsTest, DeclaredSizesAllocateNothing) {
  const int64_t huge = int64_t{1} << 40;
  for (const int64_t stride : {0, 1}) {
    const std::string tensor = pickle::Tensor(
        {.storage_elements = huge, .offset = 0, .shape = {1 << 20, 1 << 20}, .strides = {stride, stride}});
    EXPECT_EQ(PickleRatio(pickle::Dict({pickle::Text("w"), tensor})), 0);
  }
  EXPECT_EQ(PickleRatio("X\xff\xff\xff\x7f"
                        "abc"),
            0);
  EXPECT_EQ(PickleRatio("Nr\xff\xff\xff\x7f"), 0);
  EXPECT_EQ(PeakRatio(WriteZip({Entry("m/a", "x")}, {.count = 9999})), 0);
}

TEST_F(ModelFileLimitsTest, DensePicklesCostASmallMultiple) {
  const std::string zero(1, '\0');
  const int count = 200'000;
  EXPECT_LT(PickleRatio(Repeat(count, "N")), 32);
  EXPECT_LT(PickleRatio(Repeat(count, "]")), 32);
  EXPECT_LT(PickleRatio("](" + Repeat(count, "K\x01") + "e"), 32);
  EXPECT_LT(PickleRatio("]q" + zero + "(" + Repeat(count, "h" + zero) + "e"), 32);
  EXPECT_LT(PickleRatio(Repeat(count, ")\x85")), 32);
  EXPECT_LT(PickleRatio(Repeat(count, "}")), 32);
}

// Many small tensors that share one call: the price is their names and objects.
TEST_F(ModelFileLimitsTest, ManyTensorsCostASmallMultiple) {
  std::string opcodes = "}(" + pickle::Text("first");
  opcodes +=
      pickle::Tensor({.storage_elements = 0, .offset = 0, .shape = {0}, .strides = {1}}) + "q" + std::string(1, '\0');
  for (int i = 0; i < 50'000; ++i) opcodes += pickle::Text(std::to_string(i)) + "h" + std::string(1, '\0');
  EXPECT_LT(PickleRatio(opcodes + "u"), 48);
}

}  // namespace
}  // namespace digit
