#include "model/spec/model_spec.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

ModelSpec FullSpec() {
  ModelSpec spec = DefaultSpec(2);
  spec.architecture = std::string(kDigitCnn);
  spec.labels = {"零", "one \"quoted\""};
  spec.framing = Framing::kNone;
  spec.output = OutputKind::kLogits;
  spec.temperature = 1.0 / 3;
  spec.thresholds = Thresholds{.unsure_below = 0.9, .not_a_digit_below = -1.5};
  spec.accuracy = {{"mnist/test", 0.9961, 10000}};
  spec.recipe = "epochs=20";
  spec.seed = 7;
  spec.data_digest = "abc";
  spec.writer = "digit-train 0.1.0";
  spec.reference.pixels.assign(kImagePixels, 200);
  spec.reference.logits = {0.1f, -12345.678f};
  return spec;
}

std::string ErrorOf(absl::string_view text) {
  const auto spec = ParseModelSpec(text, "model.json");
  return spec.ok() ? "" : std::string(spec.status().message());
}

TEST(ModelSpecTest, SurvivesFormattingAndParsingBitForBit) {
  const ModelSpec spec = FullSpec();
  const auto again = ParseModelSpec(FormatModelSpec(spec), "model.json");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->labels, spec.labels);
  EXPECT_EQ(again->framing, spec.framing);
  EXPECT_EQ(again->output, spec.output);
  EXPECT_EQ(again->temperature, spec.temperature);
  EXPECT_EQ(again->thresholds->not_a_digit_below, -1.5);
  EXPECT_EQ(again->accuracy[0].set, "mnist/test");
  EXPECT_EQ(again->accuracy[0].images, 10000);
  EXPECT_EQ(again->seed, 7);
  EXPECT_EQ(again->reference.pixels, spec.reference.pixels);
  EXPECT_EQ(again->reference.logits, spec.reference.logits);
  EXPECT_EQ(FormatModelSpec(*again), FormatModelSpec(spec));
}

TEST(ModelSpecTest, NeedsOnlyLabels) {
  const auto spec = ParseModelSpec(R"({"labels": ["a", "b"], "unknown": 1})", "model.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->num_classes(), 2);
  EXPECT_EQ(spec->framing, Framing::kMnist);
  EXPECT_FALSE(spec->thresholds.has_value());
}

TEST(ModelSpecTest, NamesTheKeyThatIsWrong) {
  EXPECT_THAT(ErrorOf("{"), HasSubstr("model.json is not valid JSON"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("'labels' is missing"));
  EXPECT_THAT(ErrorOf(R"({"labels": []})"), HasSubstr("1..1000"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a", "a"]})"), HasSubstr("'a' twice"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a"], "format": "digit-model/2"})"), HasSubstr("'digit-model/2'"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a"], "framing": "x"})"), HasSubstr("'framing'"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a"], "output": "x"})"), HasSubstr("'output'"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a"], "temperature": 0})"), HasSubstr("'temperature'"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a"], "temperature": "1"})"), HasSubstr("must be a number"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a"], "thresholds": {"unsure_below": 2}})"), HasSubstr("'unsure_below'"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a"], "seed": 1.5})"), HasSubstr("'seed'"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a"], "accuracy": [{"accuracy": 7}]})"), HasSubstr("'accuracy'"));
  EXPECT_THAT(ErrorOf(R"({"labels": ["a"], "reference": {"pixels": "AAAA"}})"), HasSubstr("784"));
}

TEST(ModelSpecTest, RefusesReferenceLogitsThatAreNotFinite) {
  ModelSpec spec = FullSpec();
  spec.reference.logits[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(ErrorOf(FormatModelSpec(spec)), HasSubstr("not finite"));
}

}  // namespace
}  // namespace digit
