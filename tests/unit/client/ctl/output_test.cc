#include "client/ctl/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace digit {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

FileResult Seven() {
  return {.file = "img.png",
          .error = "",
          .label = "7",
          .confidence = 0.75f,
          .probabilities = {0.25f, 0.75f},
          .verdict = "confident",
          .model = "mnist",
          .version = "1"};
}

FileResult Failed(const std::string& file, const std::string& error) {
  FileResult result;
  result.file = file;
  result.error = error;
  return result;
}

FileResult WithEverything() {
  FileResult result = Seven();
  result.top = {{"7", 0.75f}, {"1", 0.25f}};
  result.timing = TimingResult{1200, 30, 450, 8, "cpu:0", "cpu"};
  return result;
}

TEST(JsonTest, IsTheDocumentedObject) {
  EXPECT_EQ(FormatJson(Seven()), R"({"file":"img.png","label":"7","confidence":0.75,"probabilities":[0.25,0.75],)"
                                 R"("verdict":"confident","model":"mnist","version":"1"})"
                                 "\n");
  EXPECT_EQ(FormatJson(Failed("a.png", "no digit found")), "{\"file\":\"a.png\",\"error\":\"no digit found\"}\n");
}

TEST(JsonTest, TopAndTimingFollowWhenThere) {
  EXPECT_THAT(FormatJson(WithEverything()),
              EndsWith(R"("version":"1","top":[{"label":"7","confidence":0.75},{"label":"1","confidence":0.25}],)"
                       R"("timing":{"decode_micros":1200,"queue_micros":30,"compute_micros":450,"batch_size":8,)"
                       R"("executor":"cpu:0","engine":"cpu"}})"
                       "\n"));
}

TEST(JsonTest, AnyFileNameGivesOneValidLine) {
  for (const std::string name : {"a \"b\"\\c", "line\nbreak\t\x01", "bad \xff\xc3 utf-8", "数字.png"}) {
    const std::string line = FormatJson(Failed(name, "e"));
    EXPECT_EQ(line.find('\n'), line.size() - 1) << name;
    EXPECT_TRUE(ParseJson(line, name).ok()) << line;
  }
  EXPECT_EQ(FormatJson(Failed("\xff", "e")), "{\"file\":\"\xEF\xBF\xBD\",\"error\":\"e\"}\n");
}

TEST(JsonTest, FloatsSurviveBitForBit) {
  FileResult result = Seven();
  result.probabilities = {0.1f, 1.0f / 3, 1e-30f, 0.0f, 1.0f};
  const json::value parsed = *ParseJson(FormatJson(result), "row");
  const json::array& read = parsed.at("probabilities").as_array();
  for (size_t i = 0; i < result.probabilities.size(); ++i) {
    EXPECT_EQ(read[i].to_number<float>(), result.probabilities[i]);
  }
}

TEST(CsvTest, RowsFitTheirHeader) {
  const CsvColumns plain;
  EXPECT_EQ(FormatCsvHeader(plain), "file,label,confidence,verdict,model,version,error\n");
  EXPECT_EQ(FormatCsv(Seven(), plain), "img.png,7,0.75,confident,mnist,1,\n");
  EXPECT_EQ(FormatCsv(Failed("a.png", "blank"), plain), "a.png,,,,,,blank\n");

  const CsvColumns all{.top_k = 3, .timing = true};
  EXPECT_EQ(FormatCsvHeader(all),
            "file,label,confidence,verdict,model,version,label_2,confidence_2,label_3,confidence_3,"
            "decode_micros,queue_micros,compute_micros,batch_size,executor,engine,error\n");
  EXPECT_EQ(FormatCsv(WithEverything(), all), "img.png,7,0.75,confident,mnist,1,1,0.25,,,1200,30,450,8,cpu:0,cpu,\n");
  EXPECT_EQ(FormatCsv(Failed("a.png", "blank"), all), "a.png,,,,,,,,,,,,,,,,blank\n");
}

TEST(CsvTest, QuotesWhatNeedsIt) {
  EXPECT_EQ(FormatCsv(Failed("a,\"b\"\n.png", "x, y"), {}), "\"a,\"\"b\"\"\n.png\",,,,,,\"x, y\"\n");
}

TEST(TextTest, SaysDoubtInWords) {
  FileResult result = Seven();
  EXPECT_EQ(FormatText(result, {}), "img.png: 7 (75.0 %)\n");
  result.verdict = "unspecified";
  EXPECT_EQ(FormatText(result, {}), "img.png: 7 (75.0 %)\n");
  result.verdict = "unsure";
  EXPECT_EQ(FormatText(result, {}), "img.png: 7 (75.0 %), unsure: have a person look\n");
  result.verdict = "not_a_digit";
  EXPECT_EQ(FormatText(result, {}), "img.png: not a digit (closest: 7, 75.0 %)\n");
}

TEST(TextTest, AlignsNamesAndColorsOnRequest) {
  EXPECT_EQ(FormatText(Seven(), {.name_width = 10}), "img.png:    7 (75.0 %)\n");
  EXPECT_EQ(FormatText(Seven(), {.name_width = 3}), "img.png: 7 (75.0 %)\n");
  EXPECT_EQ(FormatText(Seven(), {.color = true}), "img.png: \x1b[1m7\x1b[0m (75.0 %)\n");
}

TEST(TextTest, DrawsBarsForTheTop) {
  FileResult result = Seven();
  result.top = {{"Ankle boot", 0.75f}, {"Bag", 0.02f}, {"Coat", 0.0f}};
  EXPECT_EQ(FormatText(result, {}),
            "img.png: 7 (75.0 %)\n"
            "    Ankle boot   75.0 %  #######################\n"
            "    Bag           2.0 %  #\n"
            "    Coat          0.0 %\n");
  EXPECT_THAT(FormatText(result, {.unicode = true}), HasSubstr("Bag           2.0 %  ▋\n"));
}

TEST(TextTest, TellsWhereTheTimeWent) {
  FileResult result = WithEverything();
  result.top.clear();
  EXPECT_EQ(FormatText(result, {}),
            "img.png: 7 (75.0 %)\n"
            "    decode 1.2 ms, queue 0.0 ms, compute 0.5 ms in a batch of 8 on cpu:0 (engine cpu)\n");
}

TEST(TextTest, AFileNameCannotSteerTheTerminal) {
  FileResult result = Seven();
  result.file = "a\x1b[2J\n.png";
  EXPECT_EQ(FormatText(result, {}), "a\\x1b[2J\\x0a.png: 7 (75.0 %)\n");
}

TEST(PercentTest, NeverClaimsCertaintyThatIsNotThere) {
  EXPECT_EQ(FormatPercent(1.0), "100.0 %");
  EXPECT_EQ(FormatPercent(0.99996), ">99.9 %");
  EXPECT_EQ(FormatPercent(0.9994), "99.9 %");
  EXPECT_EQ(FormatPercent(0.0), "0.0 %");
}

}  // namespace
}  // namespace digit
